"""What code of your own may rely on: the names in `__all__`. Everything else may change between versions.

Types to describe what is trained on, `load_task`, and functions that do what the commands of the same names do. They
read the environment as the command line does (`GROUPER_HOME` names the state folder), open the database, and close it
again. What they return is frozen and needs no database.

>>> import grouper
>>> def says_yes(completion, fields):
...     return float(completion.strip().lower() == "yes")
>>> def questions(source, seed):
...     while True:
...         yield grouper.Example((grouper.Message(role="user", content="Is it?"),), {})
>>> task = grouper.Task(
...     name="agree",
...     title="Agree",
...     description="Say yes.",
...     rewards=(grouper.Reward("says_yes", 1.0, "1 when the answer is yes.", says_yes),),
...     generate=questions,
...     gold=lambda fields: "yes",
... )
>>> [example] = task.examples(1, seed=0)
>>> task.rewards[0].function(task.gold(example.fields), example.fields)
1.0
"""

from contextlib import closing
from typing import Any

from core.errors import GrouperError, InvalidInput, NotFound
from core.installation import detected_gpu
from core.jobs.submission import submit
from core.records.rollout import Completion
from core.records.run import Run
from core.settings import load_settings
from core.store import open_database
from core.store.runs.queries import list_runs
from core.store.search.filter import CompletionFilter
from core.store.search.query import list_completions
from core.tasks.registry import compose, own_task, trainable
from core.tasks.task import Example, Message, Reward, Task

__all__ = [
    "Completion",
    "Example",
    "GrouperError",
    "InvalidInput",
    "Message",
    "NotFound",
    "Reward",
    "Run",
    "Task",
    "completions",
    "launch",
    "load_task",
    "runs",
]


def launch(
    recipe: str, model: str = "smollm2-135m", gpu: str = "", *, name: str = "", insist: bool = False, **settings: Any
) -> Run:
    """Queues a run as `grouper launch` does, starts its worker if the device is free, and returns the run at once.

    recipe    name of a recipe or of a saved task, or a folder with a task.toml, which is saved first
    model     catalogue alias, Hub id or local folder
    gpu       GPU profile; empty: this machine's
    name      of the run; empty: made from recipe, model and rank
    insist    launch although the memory plan does not fit
    settings  any fields of docs/configuration.md

    Raises InvalidInput (NotFound for an unknown recipe or GPU) before anything is stored when the run cannot work
    here, and another GrouperError when the database cannot be used. The worker outlives this process.

    >>> run = grouper.launch("addition", "smollm2-135m", gpu="cpu", name="sums", steps=40)
    >>> run.name, run.status.value, run.config.steps
    ('sums', 'queued', 40)
    """
    environment = load_settings()
    chosen = trainable(recipe, environment.tasks)
    config = compose(chosen, model, gpu or detected_gpu().id, settings, environment.tasks)
    with closing(open_database(environment.database_url)) as database:
        return submit(database, environment, config, name=name, insist=insist)


def load_task(folder: str) -> Task:
    """The task of a folder with a task.toml, of a task file, or of a saved name. No row is asked for yet.

    Raises NotFound where there is none, and InvalidInput for parts that do not fit together. Functions of a file of
    one's own cannot be called through it: they run in a sandbox alone.
    """
    tasks = load_settings().tasks
    return own_task(folder, tasks).task()


def runs(limit: int = 50) -> list[Run]:
    """The newest runs, newest first, at most `limit`.

    A run that this version cannot read is among them; its `unreadable` says why. Raises GrouperError when the database
    cannot be used.

    >>> [(run.name, run.step, run.reward) for run in grouper.runs(limit=1)]
    [('sums', 2, 1.0)]
    """
    with closing(open_database(load_settings().database_url)) as database, database.reading() as connection:
        return list_runs(connection, limit)


def completions(run_id: str, *, with_tokens: bool = False, **filters: Any) -> tuple[list[Completion], str]:
    """A page of a run's completions, and the cursor of the page after it: pass it as `after`; "" means the end.

    with_tokens  read token ids, logprobs and entropies too
    filters      fields of `CompletionFilter`, such as step, min_reward, max_reward, search, score, min_score, tag, sort
                 ("newest", "-reward", ...), limit (50 unless given, 1000 at most) and after

    Raises NotFound for an unknown run, InvalidInput for a value that a filter cannot have, TypeError for a filter that
    does not exist, and another GrouperError when the database cannot be used.

    >>> [run] = grouper.runs(limit=1)
    >>> found, after = grouper.completions(run.id, min_reward=1.0, limit=3)
    >>> [(completion.step, completion.reward) for completion in found]
    [(2, 1.0), (2, 1.0), (1, 1.0)]
    >>> rest, after = grouper.completions(run.id, min_reward=1.0, limit=3, after=after)
    >>> len(rest), after
    (1, '')
    """
    wanted = CompletionFilter(**filters)
    with closing(open_database(load_settings().database_url)) as database, database.reading() as connection:
        return list_completions(connection, run_id, wanted, with_tokens)
