"""Steps scanned anew for signs of reward hacking, for runs recorded before that was done, or done as well."""

from dataclasses import replace

import sqlalchemy as sa

from core.errors import InvalidInput
from core.insights import reward_hacking
from core.records.step import Step
from core.store import columnar
from core.store.database import Database
from core.store.rollouts.load import list_groups
from core.store.rollouts.record import clean, earlier_scores
from core.store.runs.lifecycle import update
from core.store.runs.queries import get_run
from core.store.schema import evidence, runs

AT_ONCE = 50  # steps in a transaction, so that nobody waits long to write


def review(database: Database, run_id: str) -> int:
    """Looks through all steps of a run that has ended; the answer is how many findings there are.

    Raises InvalidInput for a run at work: its worker looks at what it records.
    """
    with database.reading() as connection:
        run = get_run(connection, run_id)
    if run.status.is_active:
        raise InvalidInput("run", run_id, "which is at work and looked at as it goes", "review it when it has ended")
    found = 0
    for first in range(1, run.step + 1, AT_ONCE):
        with database.writing() as connection:
            for number in range(first, min(first + AT_ONCE, run.step + 1)):
                found += _scan(connection, run_id, number)
    with database.writing() as connection:
        columnar.seal(connection, _key(connection, run_id))
        update(connection, run_id)  # what was found is counted anew
    return found


def _scan(connection: sa.Connection, run_id: str, number: int) -> int:
    key = _key(connection, run_id)
    groups = tuple(
        replace(group, completions=tuple(sorted(group.completions, key=lambda one: one.index)))
        for group in list_groups(connection, run_id, number)
    )
    ids = {(group.index, one.index): one.id for group in groups for one in group.completions}
    columnar.forget(connection, key, number)  # they hold a copy of what was found
    connection.execute(sa.delete(evidence).where(evidence.c.completion.in_(list(ids.values()))))
    findings = reward_hacking.scan_step(Step(number, {}, {}, {}, groups), earlier_scores(connection, key, number))
    rows = [
        {"run": key, "kind": one.kind, "completion": ids[one.group, one.index], "detail": clean(one.detail)}
        for one in findings
    ]
    if rows:
        connection.execute(sa.insert(evidence), rows)
    return len(rows)


def _key(connection: sa.Connection, run_id: str) -> int:
    return connection.execute(sa.select(runs.c.key).where(runs.c.id == run_id)).scalar_one()
