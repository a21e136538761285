"""Completions put together from their rows."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core.errors import NotFound
from core.records.rollout import Completion, Feedback, Group, RewardScore
from core.store.schema import (
    completions,
    evidence,
    extras,
    groups,
    remarks,
    runs,
    scores,
    tags,
    texts,
    tokens,
)
from core.store.token_codec import decode_floats, decode_ids

TOKEN_COLUMNS = ("logprobs", "trainer_logprobs", "entropies")


def load_completions(connection: sa.Connection, ids: Sequence[int], with_tokens: bool = False) -> list[Completion]:
    """These completions, in this order; those that are gone are left out."""
    if not ids:
        return []
    columns: list[Any] = [
        *completions.c,
        texts.c.text,
        groups.c.number.label("group_number"),
        groups.c.prompt,
        runs.c.id.label("run_id"),
    ]
    source = completions.join(texts).join(groups, groups.c.id == completions.c.group)
    source = source.join(runs, runs.c.key == completions.c.run)
    if with_tokens:
        columns += [tokens.c.token_ids, *(tokens.c[name] for name in TOKEN_COLUMNS)]
        source = source.outerjoin(tokens, tokens.c.completion == completions.c.id)
    query = sa.select(*columns).select_from(source).where(completions.c.id.in_(ids))
    rows = {row["id"]: row for row in connection.execute(query).mappings()}
    scored, said, found = _scores(connection, ids), _remarks(connection, ids), _evidence(connection, ids)
    more = _extras(connection, ids)
    return [
        Completion(
            id=row["id"],
            run=row["run_id"],
            step=row["step"],
            group=row["group_number"],
            index=row["number"],
            prompt=row["prompt"],
            text=row["text"],
            finish_reason=row["finish_reason"],
            reward=row["reward"],
            advantage=row["advantage"],
            flat=row["flat"],
            length=row["length"],
            scores=tuple(scored.get(row["id"], ())),
            token_ids=decode_ids(row.get("token_ids") or b""),
            remark=said.get(row["id"], Feedback()),
            evidence=found.get(row["id"], {}),
            extra=more.get(row["id"], {}),
            **{name: decode_floats(row.get(name) or b"") for name in TOKEN_COLUMNS},
        )
        for row in (rows[each] for each in ids if each in rows)
    ]


def get_completion(connection: sa.Connection, completion_id: int) -> Completion:
    """One completion with its tokens, or NotFound."""
    found = load_completions(connection, [completion_id], with_tokens=True)
    if not found:
        raise NotFound("completion", completion_id, "which does not exist", "it may have gone with its run")
    return found[0]


def get_group(connection: sa.Connection, completion_id: int, with_completions: bool = True) -> Group:
    """The group that a completion belongs to, or NotFound."""
    query = sa.select(groups).join(completions).where(completions.c.id == completion_id)
    found = read_groups(connection, query, with_completions=with_completions)
    if not found:
        raise NotFound("completion", completion_id, "which does not exist", "it may have gone with its run")
    return found[0]


def read_groups(
    connection: sa.Connection, query: sa.Select[Any], with_tokens: bool = False, with_completions: bool = True
) -> list[Group]:
    """The groups that a query of their rows finds, each with its completions, best reward first."""
    rows = list(connection.execute(query))
    members: dict[int, list[Completion]] = {}
    if with_completions and rows:
        order = sa.select(completions.c.id, completions.c.group).where(
            completions.c.group.in_([row.id for row in rows])
        )
        order = order.order_by(completions.c.reward.desc(), completions.c.number)
        of_group = {row.id: row.group for row in connection.execute(order)}
        for one in load_completions(connection, list(of_group), with_tokens):
            members.setdefault(of_group[one.id], []).append(one)
    return [
        Group(
            id=row.id,
            index=row.number,
            prompt=row.prompt,
            prompt_token_ids=decode_ids(row.prompt_token_ids),
            fields=json.loads(row.fields),
            completions=tuple(members.get(row.id, ())),
        )
        for row in rows
    ]


def list_groups(connection: sa.Connection, run_id: str, step: int, with_tokens: bool = False) -> list[Group]:
    """The groups of one step with their completions, best reward first."""
    query = (
        sa.select(groups)
        .join(runs, runs.c.key == groups.c.run)
        .where(runs.c.id == run_id, groups.c.step == step)
        .order_by(groups.c.number)
    )
    return read_groups(connection, query, with_tokens)


def _scores(connection: sa.Connection, ids: Sequence[int]) -> dict[int, list[RewardScore]]:
    found: dict[int, list[RewardScore]] = {}
    for row in connection.execute(sa.select(scores).where(scores.c.completion.in_(ids))):
        found.setdefault(row.completion, []).append(RewardScore(row.function, row.value, row.error))
    return found


def _remarks(connection: sa.Connection, ids: Sequence[int]) -> dict[int, Feedback]:
    tagged: dict[int, list[str]] = {}
    for row in connection.execute(sa.select(tags).where(tags.c.completion.in_(ids)).order_by(tags.c.tag)):
        tagged.setdefault(row.completion, []).append(row.tag)
    said = {row.completion: row for row in connection.execute(sa.select(remarks).where(remarks.c.completion.in_(ids)))}
    return {
        each: Feedback(
            flagged=bool(said[each].flagged) if each in said else False,
            note=said[each].note if each in said else "",
            tags=tuple(tagged.get(each, ())),
        )
        for each in said.keys() | tagged.keys()
    }


def _evidence(connection: sa.Connection, ids: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for row in connection.execute(sa.select(evidence).where(evidence.c.completion.in_(ids))):
        found.setdefault(row.completion, {})[row.kind] = row.detail
    return found


def _extras(connection: sa.Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    rows = connection.execute(sa.select(extras).where(extras.c.completion.in_(ids)))
    return {row.completion: json.loads(row.said) for row in rows}
