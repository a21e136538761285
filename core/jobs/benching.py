"""A task's rewards attacked where users' files may run: in the sandbox, agreed to, and never where it is read-only."""

from collections.abc import Iterator

from core.errors import InvalidInput
from core.insights.replay import scored_text
from core.jobs.preflight import check_packages
from core.settings import Settings
from core.store import Database
from core.store.rollouts.load import list_groups
from core.store.runs import queries
from core.tasks.bench import BenchReport, Earlier, bench
from core.tasks.own.approvals import check_approved, may_run_unprotected, own_codes
from core.tasks.scoring import Scoring
from core.tasks.task import Example, Message, Task

ROWS, SEED = 32, 0
EARLIER = 512  # completions of earlier runs


def bench_task(settings: Settings, task: Task, earlier: tuple[Earlier, ...] = ()) -> BenchReport:
    """Every reward under every probe. Raises InvalidInput for a file nobody agreed to, and where one may not run."""
    if settings.read_only and own_codes(task.rewards):
        raise InvalidInput(
            "task", task.name, "whose own file may not run on a read-only dashboard", "check it elsewhere"
        )
    check_packages(task)
    check_approved(task.rewards, settings.tasks)
    with Scoring(
        task.rewards, allow_plain=may_run_unprotected(task.rewards, settings.tasks), cache=settings.scores
    ) as scoring:
        return bench(task, scoring.score, task.examples(ROWS, SEED), earlier)


def earlier_completions(database: Database, run_id: str) -> tuple[Earlier, ...]:
    """The newest completions of a run with what was said of them. Raises NotFound."""
    return tuple(earlier for _, earlier in zip(range(EARLIER), _completions(database, run_id), strict=False))


def _completions(database: Database, run_id: str) -> Iterator[Earlier]:
    with database.reading() as connection:
        run = queries.get_run(connection, run_id)
        for step in range(run.step, 0, -1):
            for group in list_groups(connection, run_id, step):
                example = Example((Message(role="user", content=group.prompt),), group.fields)
                for one in group.completions:
                    scores = {score.function: score.value for score in one.scores}
                    yield Earlier(example, scored_text(one.text), scores)
