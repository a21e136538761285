"""What a user's file offers, in the forms of three projects, each as its documentation has it; read and run alike."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from published_support import TRL_EXAMPLES
from sandbox_support import box_around, every_level, frame

from core.errors import InvalidInput
from core.tasks.sandbox.failures import LoadFailed, Refused
from core.tasks.sandbox.own_file import list_functions, list_rows
from core.tasks.sandbox.reading import read_own_code
from core.tasks.sandbox.scorer import Frame, SandboxedScorer
from core.tasks.sandbox.signatures import OwnFunction


@every_level
def test_the_examples_of_trls_page_run_unchanged(level, tmp_path: Path) -> None:
    good = Frame(
        ({"role": "user", "content": "?"},),
        ("<think>so</think><answer>4</answer>", "4"),
        {},
        ((1, 2, 3), (4,)),
    )
    boxed = Frame((), (r"so \boxed{4}", r"\boxed{5}"), {"ground_truth": "4"})
    with box_around(TRL_EXAMPLES, tmp_path, level) as box:
        assert list_functions(box) == read_own_code(TRL_EXAMPLES)
        chat = SandboxedScorer(box).score([good], ["reward_func", "format_reward_func"])
        text = SandboxedScorer(box, form="text").score([boxed], ["correctness_reward_func"])
    assert [outcome.value for outcome in chat.outcomes["reward_func"]] == [3.0, 1.0]
    assert [outcome.value for outcome in chat.outcomes["format_reward_func"]] == [1.0, 0.0]
    assert [outcome.value for outcome in text.outcomes["correctness_reward_func"]] == [1.0, 0.0]


def test_trls_own_reward_functions_run_unchanged(tmp_path: Path) -> None:
    """Their text, put together into one file with a list of what to use."""
    trl = importlib.util.find_spec("trl")
    if trl is None or trl.origin is None:
        pytest.skip("TRL is not installed")
    rewards = Path(trl.origin).parent / "rewards"
    parts = [
        *((rewards / f"{name}_rewards.py").read_text(encoding="utf-8") for name in ("format", "other")),
        "reward_funcs = [think_format_reward, get_soft_overlong_punishment(100, 20), "
        "get_repetition_penalty_reward(ngram_size=2)]\n",
    ]
    asked = Frame((), ("<think>so</think> 4", "4"), {}, ((1,) * 90, (1, 2, 3, 4)))
    names = ["think_format_reward", "soft_overlong_punishment_reward", "repetition_penalty_reward"]
    with box_around("\n".join(parts), tmp_path) as box:
        assert [function.name for function in list_functions(box)] == names
        scored = SandboxedScorer(box).score([asked], names)
    assert [outcome.value for outcome in scored.outcomes[names[0]]] == [1.0, 0.0]
    assert [outcome.value for outcome in scored.outcomes[names[1]]] == [-0.5, 0.0]
    assert [outcome.value for outcome in scored.outcomes[names[2]]] == pytest.approx([1 / 89 - 1, 0.0])


FORMS = '''
import asyncio, functools
from swift.plugin import ORM, orms

async def slow(completions, answer, note="none", **kwargs):
    """Waits a little.

    More about it.
    """
    await asyncio.sleep(0.001)
    return [float(answer[i] == c[0]["content"]) for i, c in enumerate(completions)]

def narrow(prompts, completions, trainer_state):
    return [len(p) + trainer_state.global_step for p in prompts]

def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    """verl's."""
    if solution_str == "raise":
        raise ValueError("no")
    return {"score": float(solution_str == ground_truth), "length": len(solution_str), "source": data_source}

class Swift(ORM):
    """ms-swift's."""

    def __call__(self, completions, solution, **kwargs) -> list[float]:
        return [float(c == s and m[-1]["content"] == c) for c, s, m in zip(completions, solution, kwargs["messages"])]

orms["swift"] = Swift

def _helper(completions, **kwargs):
    return []

def unrelated(text):
    return text

alias = narrow
made = functools.partial(narrow)
LIMIT = 3
'''


def test_the_forms_of_three_projects_are_recognised_without_running_the_file(tmp_path: Path) -> None:
    functions = read_own_code(FORMS)
    assert functions == (
        OwnFunction("slow", "trl", "Waits a little.", ("answer",), ("note",), True),
        OwnFunction("narrow", "trl"),
        OwnFunction("compute_score", "verl", "verl's.", ("ground_truth",), ("data_source", "extra_info")),
        OwnFunction("Swift", "ms-swift", "ms-swift's.", ("solution",), (), True),
    )
    with box_around(FORMS, tmp_path) as box:
        assert list_functions(box) == functions


def outcomes(text: str, folder: Path, function: str, asked: Frame, **more: Any) -> list[float | str | None]:
    with box_around(text, folder) as box:
        scored = SandboxedScorer(box).score([asked], [function], **more)
    return [outcome.value if outcome.error is None else outcome.error for outcome in scored.outcomes[function]]


def test_each_form_is_called_as_its_project_calls_it(tmp_path: Path) -> None:
    asked = frame("5", "6", answer="5", solution="6", reward_model={"style": "rule", "ground_truth": "6"})
    assert outcomes(FORMS, tmp_path, "slow", asked) == [1.0, 0.0]
    assert outcomes(FORMS, tmp_path, "narrow", asked, step=7) == [8.0, 8.0]
    assert outcomes(FORMS, tmp_path, "Swift", asked) == [0.0, 1.0]
    assert outcomes(FORMS, tmp_path, "compute_score", asked) == [0.0, 1.0]


def test_one_answer_that_verls_function_raises_on_costs_that_one(tmp_path: Path) -> None:
    asked = frame("raise", "6", ground_truth="6")
    assert outcomes(FORMS, tmp_path, "compute_score", asked) == ["ValueError: no (rewards.py, line 19)", 1.0]
    with box_around(FORMS, tmp_path) as box:
        scored = SandboxedScorer(box).score([asked], ["compute_score"])
    assert scored.extra == {"length": (None, 1), "source": (None, "")}
    assert scored.restarts == 0


def test_a_column_that_the_data_lacks_is_named(tmp_path: Path) -> None:
    missed = "asks for a column answer, which the data does not have"
    assert outcomes(FORMS, tmp_path, "slow", frame("5", "6")) == [missed, missed]


def test_a_function_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert outcomes(FORMS, tmp_path, "other", frame("5")) == ["the file offers no function other"]


SPEC = """
import functools

def _private(completions, **kwargs):
    return [1.0] * len(completions)

def other(completions, **kwargs):
    return [0.0] * len(completions)

class Stateful:
    __name__ = "stateful"

    def __call__(self, completions, **kwargs):
        return [0.25] * len(completions)

stateful = Stateful()
reward_funcs = [_private, stateful, functools.partial(other)]
train_dataset = [{"prompt": f"{number}+1", "answer": number + 1} for number in range(2500)]
"""


def test_a_spec_module_offers_its_list_and_its_rows(tmp_path: Path) -> None:
    with box_around(SPEC, tmp_path) as box:
        names = [function.name for function in list_functions(box)]
        scored = SandboxedScorer(box).score([frame("a")], names)
        rows, total = list_rows(box, 2498, 10)
    assert names == ["_private", "stateful", "other"]
    assert [scored.outcomes[name][0].value for name in names] == [1.0, 0.25, 0.0]
    assert (rows, total) == (({"prompt": "2498+1", "answer": 2499}, {"prompt": "2499+1", "answer": 2500}), 2500)
    assert [function.name for function in read_own_code(SPEC)] == ["_private", "stateful"]


def test_a_file_without_rows_says_so(tmp_path: Path) -> None:
    with box_around(FORMS, tmp_path) as box, pytest.raises(Refused, match="the file has no train_dataset"):
        list_rows(box, 0, 10)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f(completions)\n    return []\n", "`file` is 'line 1', which is not Python"),
        ("x = 1\ndef f(:\n", "`file` is 'line 2', which is not Python"),
        ("x = '\x00'", "not Python"),
        ("(" * 100_000, "not Python"),
    ],
)
def test_what_is_not_python_is_said_with_its_line(source: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_own_code(source)
    assert said in str(refused.value)


def test_a_file_that_is_not_python_does_not_load(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="SyntaxError"):
        box_around("def f(completions)\n    return []\n", tmp_path).start()


def test_the_text_of_a_file_is_never_run_by_reading_it(tmp_path: Path) -> None:
    source = f"open({str(tmp_path / 'ran')!r}, 'w')\n\ndef f(completions): return []\n"
    assert [function.name for function in read_own_code(source)] == ["f"]
    assert not (tmp_path / "ran").exists()
