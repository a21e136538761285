"""The fixed prompts of a run and its greedy answers to them, apart from what it was trained on."""

import json
from collections.abc import Sequence

import sqlalchemy as sa

from core.records.evaluation import EvaluationPrompt, Reply
from core.records.rollout import RewardScore
from core.store.rollouts.record import clean, finite, to_json
from core.store.schema import groups, questions, replies, runs
from core.store.token_codec import prompt_key


def record_answers(connection: sa.Connection, run_id: str, answers: Sequence[EvaluationPrompt]) -> None:
    """Stores each prompt once, and its replies in the place of those that a step had before."""
    run = connection.execute(sa.select(runs.c.key).where(runs.c.id == run_id)).scalar_one()
    for one in answers:
        asked = {"run": run, "number": one.number, "prompt": clean(one.prompt), "fields": to_json(one.fields)}
        mine = questions.c.run == run, questions.c.number == one.number, questions.c.prompt != asked["prompt"]
        if connection.execute(sa.select(questions.c.number).where(*mine)).first():
            # Another version chose other prompts: what was said to those is no answer to these.
            gone = replies.c.run == run, replies.c.number == one.number
            connection.execute(sa.delete(replies).where(*gone))
        connection.execute(sa.insert(questions).prefix_with("OR REPLACE"), asked)
        for reply in one.replies:
            connection.execute(
                sa.insert(replies).prefix_with("OR REPLACE"),
                {
                    "run": run,
                    "number": one.number,
                    "step": reply.step,
                    "text": clean(reply.text),
                    "finish_reason": reply.finish_reason,
                    "length": reply.length,
                    "reward": finite(reply.reward),
                    "scores": json.dumps([[each.function, finite(each.value), each.error] for each in reply.scores]),
                },
            )


def list_questions(connection: sa.Connection, run_id: str) -> list[EvaluationPrompt]:
    """A run's fixed prompts, each with its replies by step."""
    query = sa.select(replies).join(runs, runs.c.key == replies.c.run).where(runs.c.id == run_id)
    said: dict[int, list[Reply]] = {}
    for row in connection.execute(query.order_by(replies.c.number, replies.c.step)):
        scores = tuple(RewardScore(*each) for each in json.loads(row.scores))
        reply = Reply(row.step, row.text, row.finish_reason, row.length, row.reward, scores)
        said.setdefault(row.number, []).append(reply)
    asked = sa.select(questions).join(runs, runs.c.key == questions.c.run).where(runs.c.id == run_id)
    return [
        EvaluationPrompt(row.number, row.prompt, json.loads(row.fields), tuple(said.get(row.number, ())))
        for row in connection.execute(asked.order_by(questions.c.number))
    ]


def trained_on(connection: sa.Connection, run_id: str, asked: Sequence[EvaluationPrompt]) -> set[int]:
    """The numbers of those fixed prompts that the run was trained on too."""
    query = sa.select(groups.c.id).join(runs, runs.c.key == groups.c.run).where(runs.c.id == run_id).limit(1)
    found = set()
    for one in asked:
        same = groups.c.prompt_key == prompt_key(one.prompt), groups.c.prompt == one.prompt
        if connection.execute(query.where(*same)).first():
            found.add(one.number)
    return found
