"""One prompt over time: everything that was ever sampled for it, across steps and across runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from core.records.rollout import Group
from core.store.rollouts.load import list_groups
from core.store.schema import completions, groups, runs

MOST_VISITS = 400


@dataclass(frozen=True)
class Visit:
    """One group of a prompt: in this run, at this step. `members` are (completion id, reward), best reward first."""

    run: str
    run_name: str
    step: int
    members: tuple[tuple[int, float | None], ...]

    @property
    def rewards(self) -> list[float]:
        return [reward for _, reward in self.members if reward is not None]

    @property
    def mean(self) -> float | None:
        return sum(self.rewards) / len(self.rewards) if self.rewards else None


def visits(connection: sa.Connection, completion_id: int) -> list[Visit]:
    """Every group with the prompt of this completion, by run and step; MOST_VISITS of them, the newest of each run."""
    prompt = sa.select(groups.c.prompt_key, groups.c.prompt).join(completions).where(completions.c.id == completion_id)
    asked = connection.execute(prompt).one_or_none()
    if asked is None:
        return []
    # How many newer ones its run has: in this order every run has its share, however long the newest run went on.
    newer = sa.func.row_number().over(partition_by=groups.c.run, order_by=groups.c.id.desc())
    same = (
        sa.select(groups.c.id, groups.c.run, groups.c.step)
        .where(groups.c.prompt_key == asked.prompt_key, groups.c.prompt == asked.prompt)
        .order_by(newer, groups.c.id.desc())
        .limit(MOST_VISITS)
        .subquery()
    )
    query = (
        sa.select(same.c.id, same.c.step, runs.c.id.label("run"), runs.c.name, completions.c.id.label("member"))
        .add_columns(completions.c.reward)
        .join(runs, runs.c.key == same.c.run)
        .join(completions, completions.c.group == same.c.id)
        .order_by(same.c.run, same.c.step, same.c.id, completions.c.reward.desc(), completions.c.number)
    )
    found: dict[int, Visit] = {}
    members: dict[int, list[tuple[int, float | None]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.id, Visit(row.run, row.name, row.step, ()))
        members.setdefault(row.id, []).append((row.member, row.reward))
    return [Visit(one.run, one.run_name, one.step, tuple(members[group])) for group, one in found.items()]


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
