"""The fixed prompts of a run and its greedy answers to them, apart from what it was trained on."""

import json
from collections.abc import Sequence

import sqlalchemy as sa

from core.runs import Question, Reply, RewardScore
from core.store.recording import clean, finite, to_json
from core.store.tables import questions, replies, runs


def record_answers(connection: sa.Connection, run_id: str, answers: Sequence[Question]) -> None:
    """Stores each prompt once, and its replies in the place of those that a step had before."""
    run = connection.execute(sa.select(runs.c.key).where(runs.c.id == run_id)).scalar_one()
    for one in answers:
        asked = {"run": run, "number": one.number, "prompt": clean(one.prompt), "fields": to_json(one.fields)}
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


def list_questions(connection: sa.Connection, run_id: str) -> list[Question]:
    """A run's fixed prompts, each with its replies by step."""
    query = sa.select(replies).join(runs, runs.c.key == replies.c.run).where(runs.c.id == run_id)
    said: dict[int, list[Reply]] = {}
    for row in connection.execute(query.order_by(replies.c.number, replies.c.step)):
        scores = tuple(RewardScore(*each) for each in json.loads(row.scores))
        reply = Reply(row.step, row.text, row.finish_reason, row.length, row.reward, scores)
        said.setdefault(row.number, []).append(reply)
    asked = sa.select(questions).join(runs, runs.c.key == questions.c.run).where(runs.c.id == run_id)
    return [
        Question(row.number, row.prompt, json.loads(row.fields), tuple(said.get(row.number, ())))
        for row in connection.execute(asked.order_by(questions.c.number))
    ]
