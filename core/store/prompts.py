"""One prompt over time: everything that was ever sampled for it, across steps and across runs."""

from dataclasses import dataclass

import sqlalchemy as sa

from core.store.tables import completions, groups, runs

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
