"""What a worker writes while it trains: one transaction a step holds everything the step produced."""

import json
import math
import time
from array import array
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from core.runs import Checkpoint, Completion, LoadPhase, RewardScore, Step
from core.store.lifecycle import update
from core.store.tables import checkpoints, completions, groups, load_phases, runs, scores, steps, tokens


def record_step(connection: sa.Connection, run_id: str, step: Step) -> bool:
    """Stores a step with its groups, completions, scores and tokens, and advances the run to it.

    A resumed run comes by steps that are recorded already. One that was sampled just as before stays as it is; one that
    differs takes the place of the old one, and the answer is False.
    """
    key = _key(connection, run_id)
    before = _recorded_tokens(connection, key, step.number)
    if before is not None:
        if before == [pack("i", each.token_ids) for group in step.groups for each in group.completions]:
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
    for group in step.groups:
        group_id = connection.execute(
            sa.insert(groups).values(
                run=key,
                step=step.number,
                number=group.index,
                prompt=clean(group.prompt),
                prompt_token_ids=pack("i", group.prompt_token_ids),
                fields=to_json(group.fields),
            )
        ).lastrowid
        for completion in group.completions:
            _record_completion(connection, key, step.number, group_id, completion)
    reached = sa.func.max(runs.c.step, step.number)
    total = runs.c.tokens + token_count
    update(connection, run_id, step=reached, reward=reward, tokens=total, heartbeat_at=time.time())
    return before is None


def _recorded_tokens(connection: sa.Connection, run: int, step: int) -> list[bytes] | None:
    """The packed token ids of every completion of a step, in order; None when the step is not recorded."""
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
    return list(connection.execute(query).scalars())


def _forget_step(connection: sa.Connection, run: int, run_id: str, step: int) -> None:
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


def _record_completion(connection: sa.Connection, run: int, step: int, group: int, completion: Completion) -> None:
    completion_id = connection.execute(
        sa.insert(completions).values(
            run=run,
            step=step,
            group=group,
            number=completion.index,
            text=clean(completion.text),
            length=completion.length,
            finish_reason=completion.finish_reason,
            reward=finite(completion.reward),
            advantage=completion.advantage,
        )
    ).lastrowid
    if completion.scores:
        connection.execute(sa.insert(scores), [_score_row(completion_id, score) for score in completion.scores])
    connection.execute(
        sa.insert(tokens).values(
            completion=completion_id,
            token_ids=pack("i", completion.token_ids),
            logprobs=pack("f", completion.logprobs),
        )
    )


def _score_row(completion_id: int, score: RewardScore) -> dict[str, Any]:
    return {
        "completion": completion_id,
        "function": score.function,
        "value": finite(score.value),
        "error": score.error,
    }


def _key(connection: sa.Connection, run_id: str) -> int:
    return connection.execute(sa.select(runs.c.key).where(runs.c.id == run_id)).scalar_one()


def pack(typecode: str, values: Iterable[float]) -> bytes:
    """Numbers as little-endian 4-byte items: "i" int32, "f" float32."""
    return array(typecode, values).tobytes()


def clean(text: str) -> str:
    """Text that SQLite can hold: a lone surrogate, which UTF-8 has no bytes for, becomes its escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def to_json(values: Mapping[str, Any]) -> str:
    """JSON without NaN or infinity, which readers of JSON refuse: they become null."""
    return (
        json.dumps(
            {name: finite(value) if isinstance(value, float) else value for name, value in values.items()},
            ensure_ascii=False,
            default=str,
        )
        .encode("utf-8", "backslashreplace")
        .decode("utf-8")
    )


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are numbers; None when there are none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else None
