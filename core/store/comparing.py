"""The same prompt in several runs."""

from collections.abc import Sequence

import sqlalchemy as sa

from core.runs import Group
from core.store.browsing import list_groups
from core.store.tables import groups, runs


def prompts_of_step(connection: sa.Connection, run_id: str, step: int) -> list[str]:
    """The prompts of one step of a run, in their order."""
    query = (
        sa.select(groups.c.prompt)
        .join(runs, runs.c.key == groups.c.run)
        .where(runs.c.id == run_id, groups.c.step == step)
        .order_by(groups.c.number)
    )
    return list(connection.execute(query).scalars())


def same_prompt(
    connection: sa.Connection, run_ids: Sequence[str], prompt: str, step: int
) -> list[tuple[str, int, Group | None]]:
    """For each run the group of this prompt in the step nearest to `step`, as (run, step, group).

    The group is None where a run never sampled the prompt.
    """
    found: list[tuple[str, int, Group | None]] = []
    for run_id in run_ids:
        key = sa.select(runs.c.key).where(runs.c.id == run_id).scalar_subquery()
        nearest = connection.execute(
            sa.select(groups.c.step, groups.c.number)
            .where(groups.c.run == key, groups.c.prompt == prompt)
            .order_by(sa.func.abs(groups.c.step - step), groups.c.step)
            .limit(1)
        ).one_or_none()
        if nearest is None:
            found.append((run_id, 0, None))
            continue
        groups_there = list_groups(connection, run_id, nearest.step)
        group = next((group for group in groups_there if group.index == nearest.number), None)
        found.append((run_id, nearest.step, group))
    return found
