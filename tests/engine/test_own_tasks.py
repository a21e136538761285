"""Tasks of one's own, from a folder to a run: rows from each kind of file, rewards of each kind."""

import json
import os
import signal
from pathlib import Path
from statistics import fmean
from textwrap import dedent
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from engine_support import grouper
from faults_support import newest, wait_for_end, wait_for_log
from own_runs_support import Bench
from own_support import TASK, make_task, write_jsonl
from tiny_support import save_tiny

from core.records.status import RunStatus
from core.tasks.own.spec import parse_spec, plain, read_spec
from core.tasks.sandbox.probe import probe

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

SUMS: list[dict[str, Any]] = [{"question": f"{a}+{b}", "answer": str(a + b)} for a in range(8) for b in range(8)]
MATH = """
name = "sums"
[data]
source = "sums.parquet"
[evaluation]
rows = 4
[prompt]
user = "What is {question}?"
[[reward]]
use = "math"
[[reward]]
use = "length"
name = "brief"
weight = 0.5
at_most = 4
slack = 20
"""
OWN = """
name = "own-sums"
[data]
source = "sums.jsonl"
[evaluation]
rows = 4
[prompt]
user = "What is {question}?"
[[reward]]
python = "rewards.py:FUNCTION"
"""
# In TRL's form, with everything that its trainer gives.
OF_TRL = dedent('''
    def brief(prompts, completions, completion_ids, answer, trainer_state, log_extra=None, log_metric=None, **kwargs):
        """Fewer characters are better; an odd sum does not count."""
        texts = [completion[0]["content"] for completion in completions]
        assert all(prompt[-1]["content"].startswith("What is ") for prompt in prompts)
        log_extra("characters", [len(text) for text in texts])
        log_metric("brief/tokens", sum(map(len, completion_ids)) / len(texts))
        log_metric("brief/done", trainer_state.global_step / trainer_state.max_steps)
        return [None if int(sum_) % 2 else 1 / (1 + len(text)) for sum_, text in zip(answer, texts)]
''')
# In verl's form, over a table as verl's own scripts write it.
OF_VERL = dedent('''
    def compute_score(data_source, solution_str, ground_truth, extra_info=None):
        """How much of the answer's digits are there."""
        assert data_source == "sums"
        found = sum(digit in solution_str for digit in ground_truth) / len(ground_truth)
        return {"score": found - 0.01 * len(solution_str), "index": extra_info["index"]}
''')


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("own-tasks")
    return Bench(folder / "home", save_tiny(folder / "model"))


def write_task(folder: Path, text: str, code: str = "") -> Path:
    folder.mkdir()
    (folder / "task.toml").write_text(text, encoding="utf-8")
    if code:
        (folder / "rewards.py").write_text(code, encoding="utf-8")
    return folder


def same_task(folder: Path, text: str) -> None:
    """The run keeps the task as it was launched; where the rows lie is the saved version's to say."""
    kept, wanted = plain(read_spec(folder / "task")), plain(parse_spec(text))
    assert {**kept, "data": {**kept["data"], "source": ""}} == {**wanted, "data": {**wanted["data"], "source": ""}}


def test_a_parquet_file_scored_as_mathematics(bench: Bench, tmp_path: Path) -> None:
    folder = write_task(tmp_path / "sums", MATH)
    pq.write_table(pa.Table.from_pylist(SUMS), folder / "sums.parquet")
    left = bench.trained(folder, evaluate_every=3)
    assert (left.run.status, [step.number for step in left.steps]) == (RunStatus.COMPLETED, [1, 2, 3])
    assert len(left.scores("math")) == len(left.scores("brief")) == 24
    assert None not in left.scores("math") + left.scores("brief")
    assert [dict(group.fields) for groups in left.groups for group in groups if dict(group.fields) not in SUMS] == []
    assert "sandbox" not in left.run.facts  # nothing foreign ran
    same_task(left.folder, MATH)


def test_a_jsonl_file_scored_by_a_function_in_trls_form(bench: Bench, tmp_path: Path) -> None:
    text = OWN.replace("FUNCTION", "brief")
    folder = write_task(tmp_path / "own-sums", text, OF_TRL)
    write_jsonl(folder / "sums.jsonl", SUMS)
    refused(bench, folder)
    bench.approve(folder)
    left = bench.trained(folder)
    assert [step.number for step in left.steps] == [1, 2, 3]
    asked = [group for groups in left.groups for group in groups]
    for group, one in ((each, one) for each in asked for one in each.completions):
        (score,) = one.scores
        assert score.error == ""
        assert (score.value is None) == (int(group.fields["answer"]) % 2 == 1) == (one.reward is None)
    for step, groups in zip(left.steps, left.groups, strict=True):
        lengths = [one.length for group in groups for one in group.completions]
        assert step.metrics["brief/tokens"] == pytest.approx(fmean(lengths))
        assert step.metrics["brief/done"] == pytest.approx((step.number - 1) / 3)  # as TRL counts: steps behind it
    assert left.run.facts["sandbox"] == probe().name
    assert (left.folder / "task" / "rewards.py").read_text(encoding="utf-8") == OF_TRL
    same_task(left.folder, text)
    (folder / "rewards.py").write_text(OF_TRL + "\n# one more line\n", encoding="utf-8")
    refused(bench, folder)
    assert (left.folder / "task" / "rewards.py").read_text(encoding="utf-8") == OF_TRL


def refused(bench: Bench, folder: Path) -> None:
    """One sentence that says what to do, and no run."""
    result = bench.launch(folder)
    assert (result.returncode, result.stdout) == (2, "")
    said = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(said) == 1
    assert "rewards.py" in said[0]
    assert "grouper task approve" in said[0]


def test_a_jsonl_file_scored_by_verls_compute_score(bench: Bench, tmp_path: Path) -> None:
    text = OWN.replace("FUNCTION", "compute_score").replace('user = "What is {question}?"', 'messages = "prompt"')
    folder = write_task(tmp_path / "of-verl", text, OF_VERL)
    rows = [
        {
            "data_source": "sums",
            "prompt": [{"role": "user", "content": f"What is {row['question']}?"}],
            "reward_model": {"style": "rule", "ground_truth": row["answer"]},
            "extra_info": {"index": place},
        }
        for place, row in enumerate(SUMS)
    ]
    write_jsonl(folder / "sums.jsonl", rows)
    bench.approve(folder)
    left = bench.trained(folder)
    scores, texts = left.scores("compute_score"), [one.text for one in left.completions]
    assert len(scores) == 24
    assert None not in scores
    assert len({*texts}) > 12
    assert len({*scores}) > 1
    assert left.run.facts["sandbox"] == probe().name
    assert (left.folder / "task" / "rewards.py").read_text(encoding="utf-8") == OF_VERL


def test_a_killed_run_of_a_table_goes_on_with_the_rows_that_were_next(bench: Bench, tmp_path: Path) -> None:
    make_task(tmp_path / "capitals", TASK.replace("shots = 1", "shots = 0"))
    changes = {"steps": 8, "save_steps": 2, "prompts_per_step": 2, "group_size": 2, "seed": 5}
    whole = bench.trained(tmp_path / "capitals", **changes)
    assert bench.launch(tmp_path / "capitals", wait=False, **changes).returncode == 0
    run = newest(bench.settings)
    wait_for_log(bench.settings, run, "step 3/8")
    process = newest(bench.settings).process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    ended = wait_for_end(bench.settings)
    assert ended.status is not RunStatus.COMPLETED, "the run was over before it could be killed"
    result = grouper(bench.home, "resume", run.id, "--wait", "--json")
    assert result.returncode == 0, result.stderr[-3000:]
    assert json.loads(result.stdout)["state"] == "completed"
    left = bench.left(run.id)
    assert left.run.attempt == 2
    assert left.sampled() == whole.sampled()
    assert len({group.prompt for groups in whole.groups for group in groups}) == 8  # every row of the table in turn
