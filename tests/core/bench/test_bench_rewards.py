"""The measurement of rewards: what it asks about is scored, both ways, and the document says how fast."""

import json

import pytest
from engine_support import grouper

from core.bench.rewards import GROUP_SIZE, LENGTH, WAYS, make_step
from core.tasks.sandbox.probe import probe


def test_completions_are_as_long_as_said_and_no_answer_comes_twice() -> None:
    frames = [frame for seed in (0, 1) for frame in make_step(seed)]
    texts = [text for frame in frames for text in frame.completions]
    assert {len(text.encode()) for text in texts} == {LENGTH}
    assert len({text.partition("<answer>")[2] for text in texts}) == len(texts)
    for frame in frames:
        assert sum(text.endswith(f"<answer>{frame.fields['answer']}</answer>") for text in frame.completions) == 1
        assert len(frame.completions) == GROUP_SIZE


def test_one_document_is_printed(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("bench")
    result = grouper(home, "bench", "rewards", "--completions", "512", "--repeats", "1")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["completions"], found["repeats"], found["level"]) == (512, 1, probe().name)
    assert 0 < found["start_ms"] < 20_000
    assert {"normalised + tags", "own"} <= {*found["rewards"]} <= {*WAYS}
    for name, figures in found["rewards"].items():
        assert figures["completions"] == (256 if name == "math" else 512)
        assert figures["direct_per_second"] > 0
        assert figures["child_us"] == pytest.approx(
            1e6 / figures["child_per_second"] - 1e6 / figures["direct_per_second"], rel=0.05, abs=1.0
        )
