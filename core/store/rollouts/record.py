"""What a worker writes while it trains: one transaction a step holds everything the step produced."""

import json
import math
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from core.insights import reward_hacking
from core.records.rollout import Completion, Group, RewardScore
from core.records.run import Checkpoint, LoadPhase
from core.records.step import Step
from core.store import columnar
from core.store.runs.lifecycle import update
from core.store.schema import (
    SCORE_COLUMNS,
    checkpoints,
    completions,
    evidence,
    extras,
    functions,
    groups,
    load_phases,
    runs,
    scores,
    steps,
    texts,
    tokens,
)
from core.store.token_codec import decode_ids, encode_floats, encode_ids, prompt_key
from core.tasks.advantages import is_flat

SURROGATE = re.compile("[\ud800-\udfff]")


def record_step(connection: sa.Connection, run_id: str, step: Step) -> bool:
    """Stores a step with its groups, completions, scores and tokens, and advances the run to it.

    A resumed run comes by steps that are recorded already. One that was sampled just as before stays as it is; one that
    differs takes the place of the old one, and the answer is False.
    """
    key = _key(connection, run_id)
    before = _recorded_tokens(connection, key, step.number)
    if before is not None:
        if before == [each.token_ids for group in step.groups for each in group.completions]:
            update(connection, run_id, heartbeat_at=time.time())
            return True
        _forget_step(connection, key, run_id, step.number)
    sampled = [completion for group in step.groups for completion in group.completions]
    reward = mean(completion.reward for completion in sampled)
    token_count = sum(completion.length for completion in sampled)
    connection.execute(
        sa.insert(steps).values(
            run=key,
            number=step.number,
            at=step.at or time.time(),
            reward=reward,
            tokens=token_count,
            metrics=to_json(step.metrics),
            seconds=to_json(step.seconds),
            memory=to_json(step.memory),
        )
    )
    _record_groups(connection, key, step)
    reached = sa.func.max(runs.c.step, step.number)
    total = runs.c.tokens + token_count
    update(connection, run_id, step=reached, reward=reward, tokens=total, heartbeat_at=time.time())
    return before is None


def _recorded_tokens(connection: sa.Connection, run: int, step: int) -> list[tuple[int, ...]] | None:
    """The token ids of every completion of a step, in order; None when the step is not recorded."""
    known = connection.execute(sa.select(steps.c.number).where(steps.c.run == run, steps.c.number == step)).first()
    if known is None:
        return None
    query = (
        sa.select(tokens.c.token_ids)
        .join(completions, completions.c.id == tokens.c.completion)
        .join(groups, groups.c.id == completions.c.group)
        .where(completions.c.run == run, completions.c.step == step)
        .order_by(groups.c.number, completions.c.number)
    )
    return [decode_ids(packed) for packed in connection.execute(query).scalars()]


def _forget_step(connection: sa.Connection, run: int, run_id: str, step: int) -> None:
    columnar.forget(connection, run, step)
    mine = steps.c.run == run, steps.c.number == step
    gone = connection.execute(sa.select(steps.c.tokens).where(*mine)).scalar_one()
    connection.execute(sa.delete(groups).where(groups.c.run == run, groups.c.step == step))
    connection.execute(sa.delete(steps).where(*mine))
    update(connection, run_id, tokens=runs.c.tokens - gone)


def record_load_phase(connection: sa.Connection, run_id: str, phase: LoadPhase) -> None:
    connection.execute(
        sa.insert(load_phases).values(
            run=_key(connection, run_id), name=phase.name, seconds=phase.seconds, memory_bytes=phase.memory_bytes
        )
    )


def record_checkpoint(connection: sa.Connection, run_id: str, checkpoint: Checkpoint, forget: Iterable[int]) -> None:
    """Stores a checkpoint that is complete on disk; `forget` are the steps whose files were removed for it."""
    key = _key(connection, run_id)
    steps_gone = [*forget, checkpoint.step]  # one made again takes the place of the old one
    connection.execute(sa.delete(checkpoints).where(checkpoints.c.run == key, checkpoints.c.step.in_(steps_gone)))
    connection.execute(
        sa.insert(checkpoints).values(
            run=key,
            step=checkpoint.step,
            path=checkpoint.path,
            sha256=checkpoint.sha256,
            reward=checkpoint.reward,
            at=checkpoint.at,
        )
    )


def _record_groups(connection: sa.Connection, run: int, step: Step) -> None:
    """A step's groups, completions, scores, tokens and findings: one statement for each table."""
    if not step.groups:
        return
    places = _function_places(connection, run, step)
    group_id, completion_id = _next_id(connection, groups), _next_id(connection, completions)
    rows: dict[sa.Table, list[dict[str, Any]]] = {
        table: [] for table in (groups, completions, texts, scores, extras, tokens, evidence)
    }
    ids: dict[tuple[int, int], int] = {}
    for group in step.groups:
        rows[groups].append(_group_row(group_id, run, step.number, group))
        flat = is_flat([one.reward for one in group.completions])
        for one in group.completions:
            ids[group.index, one.index] = completion_id
            named = {"id": completion_id, "run": run, "step": step.number, "group": group_id, "flat": flat}
            rows[completions].append({**named, **_completion_row(one, places)})
            rows[texts].append({"completion": completion_id, "text": clean(one.text)})
            rows[scores] += [_score_row(completion_id, score) for score in one.scores]
            rows[extras] += [{"completion": completion_id, "said": to_json(one.extra)}] if one.extra else []
            rows[tokens].append(_token_row(completion_id, one))
            completion_id += 1
        group_id += 1
    rows[evidence] = [
        {"run": run, "kind": one.kind, "completion": ids[one.group, one.index], "detail": clean(one.detail)}
        for one in reward_hacking.scan_step(step, earlier_scores(connection, run, step.number))
    ]
    for table, made in rows.items():
        if made:
            connection.execute(sa.insert(table), made)
    columnar.seal(connection, run)


def _next_id(connection: sa.Connection, table: sa.Table) -> int:
    """Safe inside a write transaction, of which there is one at a time."""
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0))).scalar_one()) + 1


def _function_places(connection: sa.Connection, run: int, step: Step) -> dict[str, int]:
    """The run's reward functions and the score column of each, with those that this step brings for the first time."""
    known = list(connection.execute(sa.select(functions).where(functions.c.run == run)))
    places = {row.name: row.place for row in known}
    whole = {row.name for row in known if not row.gaps}
    sampled = [one for group in step.groups for one in group.completions]
    fresh = dict.fromkeys(score.function for one in sampled for score in one.scores)
    for name in [name for name in fresh if name not in places][: SCORE_COLUMNS - len(places)]:
        places[name] = len(places) + 1
        whole |= {name} if step.number == 1 else set()
        row = {"run": run, "place": places[name], "name": name, "gaps": name not in whole}
        connection.execute(sa.insert(functions), row)
    scored = [{score.function for score in one.scores if finite(score.value) is not None} for one in sampled]
    gapped = [name for name in whole if any(name not in names for names in scored)]
    if gapped:
        mine = functions.c.run == run, functions.c.name.in_(gapped)
        connection.execute(sa.update(functions).where(*mine).values(gaps=True))
    return places


def earlier_scores(connection: sa.Connection, run: int, step: int) -> list[dict[str, float]]:
    """The mean score of every function in the steps just before this one, oldest first."""
    wanted = range(step - reward_hacking.JUMP_STEPS, step)
    query = (
        sa.select(completions.c.step, scores.c.function, sa.func.avg(scores.c.value))
        .join(groups, groups.c.id == completions.c.group)
        .join(scores, scores.c.completion == completions.c.id)
        .where(groups.c.run == run, groups.c.step.in_(wanted), scores.c.value.is_not(None))
        .group_by(completions.c.step, scores.c.function)
    )
    means: dict[int, dict[str, float]] = {}
    for number, function, mean_score in connection.execute(query):
        means.setdefault(number, {})[function] = mean_score
    return [means[number] for number in wanted if number in means]


def _group_row(group_id: int, run: int, step: int, group: Group) -> dict[str, Any]:
    prompt = clean(group.prompt)
    return {
        "id": group_id,
        "run": run,
        "step": step,
        "number": group.index,
        "prompt": prompt,
        "prompt_key": prompt_key(prompt),
        "prompt_token_ids": encode_ids(group.prompt_token_ids),
        "fields": to_json(group.fields),
    }


def _completion_row(one: Completion, places: Mapping[str, int]) -> dict[str, Any]:
    by_place = {places[score.function]: score.value for score in one.scores if score.function in places}
    return {
        "number": one.index,
        "length": one.length,
        "finish_reason": one.finish_reason,
        "reward": finite(one.reward),
        "advantage": one.advantage,
        **{f"score_{place}": finite(by_place.get(place)) for place in range(1, SCORE_COLUMNS + 1)},
    }


def _token_row(completion_id: int, one: Completion) -> dict[str, Any]:
    return {
        "completion": completion_id,
        "token_ids": encode_ids(one.token_ids),
        "logprobs": encode_floats(one.logprobs),
        "trainer_logprobs": encode_floats(one.trainer_logprobs) if one.trainer_logprobs else None,
        "entropies": encode_floats(one.entropies) if one.entropies else None,
    }


def _score_row(completion_id: int, score: RewardScore) -> dict[str, Any]:
    return {
        "completion": completion_id,
        "function": score.function,
        "value": finite(score.value),
        "error": clean(score.error),
    }


def _key(connection: sa.Connection, run_id: str) -> int:
    return connection.execute(sa.select(runs.c.key).where(runs.c.id == run_id)).scalar_one()


def clean(text: str) -> str:
    """Text that SQLite can hold: a lone surrogate, which UTF-8 has no bytes for, becomes its escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def to_json(values: Mapping[str, Any]) -> str:
    """JSON that every reader takes: no NaN or infinity (they become null), no lone surrogates (as `clean` has them)."""
    finished = {name: finite(value) if isinstance(value, float) else value for name, value in values.items()}
    text = json.dumps(finished, ensure_ascii=False, default=str)
    return SURROGATE.sub(lambda found: f"\\\\u{ord(found.group()):x}", text)


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are numbers; None when there are none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else None
