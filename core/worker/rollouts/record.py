"""A step as the store keeps it."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from core.records.rollout import Completion, Group
from core.records.step import Step
from core.tasks.advantages import weighted
from core.worker.rollouts.batch import StepBatch, TokenRow, Update

# The trainer logs these beside the metrics of a step; they are ours to keep elsewhere, or say nothing.
NOT_METRICS = frozenset({"epoch", "step_time", "num_tokens"})
Decode = Callable[[list[int]], str]


def as_step(
    number: int,
    batch: StepBatch,
    update: Update,
    weights: Mapping[str, float],
    decode: Decode,
    seconds: Mapping[str, float],
    memory: Mapping[str, int],
) -> Step:
    """Step `number` with all that was sampled, scored and measured.

    decode  token ids -> text with special tokens: they are part of what was sampled
    """
    tokens = iter(update.tokens)
    groups = []
    for place, (example, prompt, rows) in enumerate(batch.groups()):
        members = tuple(_completions(batch, rows, tokens, weights, decode))
        groups.append(Group(place, decode([*prompt]), prompt, example.fields, members))
    logged = {name: value for name, value in update.metrics().items() if name not in NOT_METRICS}
    metrics = {**batch.metrics, **logged, "engine/cache_tokens": float(cache_tokens(groups))}
    return Step(number, metrics, dict(seconds), dict(memory), tuple(groups))


def _completions(
    batch: StepBatch, rows: range, tokens: Iterator[TokenRow], weights: Mapping[str, float], decode: Decode
) -> Iterator[Completion]:
    for index, row in enumerate(rows):
        sample, scores = batch.samples[row], batch.scores[row]
        logprobs, entropies = next(tokens)
        yield Completion(
            index=index,
            text=decode([*sample.token_ids]),
            finish_reason=sample.finish_reason,
            reward=weighted({score.function: score.value for score in scores}, weights),
            advantage=batch.advantages[row],
            scores=scores,
            length=len(sample.token_ids),
            token_ids=sample.token_ids,
            logprobs=sample.logprobs,
            trainer_logprobs=logprobs,
            entropies=entropies,
            extra=batch.extra[row] if batch.extra else {},
        )


def cache_tokens(groups: Sequence[Group]) -> int:
    """Most tokens whose keys and values the engine would hold at one time if nothing had to wait.

    All sequences grow together; one that has ended gives its part back. A group's prompt is held once.
    """
    lengths = sorted((completion.length for group in groups for completion in group.completions), reverse=True)
    running = max((count * length for count, length in enumerate(lengths, start=1)), default=0)
    return running + sum(len(group.prompt_token_ids) for group in groups)
