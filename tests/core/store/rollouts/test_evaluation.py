"""The fixed prompts of a run as they are kept: its answers by step, and which prompts it was trained on too."""

from core.config import make_config
from core.records.evaluation import EvaluationPrompt, Reply
from core.records.rollout import Completion, Group
from core.records.step import Step
from core.store import Database
from core.store.rollouts.evaluation import list_questions, record_answers, trained_on
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle

CONFIG = make_config({"model": "smollm2-135m", "recipe": "addition"})


def question(number: int, prompt: str, step: int) -> EvaluationPrompt:
    return EvaluationPrompt(number, prompt, {"answer": 1}, (Reply(step, f"After {step}", "stop", 2, 0.5),))


def test_answers_are_kept_by_step_and_prompts_once(database: Database) -> None:
    with database.writing() as connection:
        run_id = lifecycle.enqueue(connection, CONFIG).id
        for step in (0, 10, 10):  # a resumed run answers again what it had answered
            record_answers(connection, run_id, [question(0, "A", step), question(1, "B", step)])
        found = list_questions(connection, run_id)
    assert [(one.prompt, [reply.step for reply in one.replies]) for one in found] == [("A", [0, 10]), ("B", [0, 10])]


def test_answers_to_another_prompt_are_not_kept_under_a_new_one(database: Database) -> None:
    with database.writing() as connection:
        run_id = lifecycle.enqueue(connection, CONFIG).id
        record_answers(connection, run_id, [question(0, "A", 0), question(1, "B", 0)])
        record_answers(connection, run_id, [question(0, "A", 10), question(1, "C", 10)])
        found = list_questions(connection, run_id)
    assert [(one.prompt, [reply.step for reply in one.replies]) for one in found] == [("A", [0, 10]), ("C", [10])]


def test_prompts_that_were_trained_on_are_named(database: Database) -> None:
    sampled = (Completion(0, "x", "stop", 1.0, 0.0, length=1, token_ids=(1,), logprobs=(-1.0,)),)
    with database.writing() as connection:
        run_id, other = (lifecycle.enqueue(connection, CONFIG).id for _ in range(2))
        for run, prompt in ((run_id, "B"), (other, "A")):
            record_step(connection, run, Step(1, {}, {}, {}, (Group(0, prompt, (1,), {}, sampled),)))
        asked = [question(0, "A", 0), question(1, "B", 0)]
        assert trained_on(connection, run_id, asked) == {1}
