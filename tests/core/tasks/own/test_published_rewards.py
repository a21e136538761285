"""Reward functions that others have published, put into a task's file as they are and scored as in a run."""

from pathlib import Path

from own_support import CAPITALS, TASK, make_task, write_jsonl
from published_support import TRL_EXAMPLES

from core.tasks.sandbox.scorer import Frame
from core.tasks.scoring import Scoring

# The last one takes completions as strings and the others lists of messages: each says so for itself.
REWARDS = """
[[reward]]
python = "rewards.py:reward_func"
weight = 0.01
[[reward]]
python = "rewards.py:format_reward_func"
[[reward]]
python = "rewards.py:correctness_reward_func"
form = "text"
weight = 2.0
"""


def test_three_functions_of_trls_page_score_side_by_side(tmp_path: Path) -> None:
    asked = TASK[: TASK.index("[[reward]]")].replace("capitals.csv", "rows.jsonl").replace("{answer}", "{ground_truth}")
    own = make_task(tmp_path / "a", asked + REWARDS, TRL_EXAMPLES)
    write_jsonl(tmp_path / "a/rows.jsonl", [{"country": name, "ground_truth": city} for name, city in CAPITALS])
    first, second = own.task().examples(2, 0)
    right, other = first.fields["ground_truth"], second.fields["ground_truth"]
    answers = (rf"\boxed{{{right}}}", f"<think>so</think><answer>{right}</answer>", "")
    frames = [
        Frame(first.prompt, answers, first.fields, ((5,) * 9, (5,) * 20, ())),
        Frame(second.prompt, (rf"so \boxed{{{right}}}, or \boxed{{{other}}}", other), second.fields, ((5, 6), (7,))),
    ]
    with Scoring(own.task().rewards) as scoring:
        scored = scoring.score(frames)
    found = {name: [outcome.value for outcome in outcomes] for name, outcomes in scored.outcomes.items()}
    assert found == {
        "reward_func": [9.0, 20.0, 0.0, 2.0, 1.0],
        "format_reward_func": [0.0, 1.0, 0.0, 0.0, 0.0],
        "correctness_reward_func": [1.0, 0.0, 0.0, 0.0, 0.0],
    }
    assert not scored.causes
