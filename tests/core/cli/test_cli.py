"""The command line: documents on stdout, one line for a mistake, the right exit code."""

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from tests_support import a_step

from core.cli.main import main
from core.config import make_config
from core.planning.resolved_run import resolve
from core.records.status import RunStatus
from core.settings import load_settings
from core.store import open_database
from core.store.rollouts.record import record_step
from core.store.runs import lifecycle


@dataclass(frozen=True)
class Ended:
    returncode: int
    stdout: str
    stderr: str


def grouper(home: Path, *arguments: str) -> Ended:
    """The command in this process; what starts it in one of its own is tried in tests/test_readme.py."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, {"GROUPER_HOME": str(home)}),
        patch.object(sys, "argv", ["grouper", *arguments]),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return Ended(int(ended.value.code or 0), stdout.getvalue(), stderr.getvalue())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    database = open_database(load_settings({"GROUPER_HOME": str(tmp_path)}).database_url)
    config = make_config({"model": "smollm2-135m", "recipe": "addition", "rank": 16, "steps": 2})
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, config, name="told")
        for number in (1, 2):
            record_step(connection, run.id, a_step(number))
        lifecycle.move(connection, run.id, RunStatus.CANCELLED)
    database.close()
    return tmp_path


def test_reading_commands_print_json(home: Path) -> None:
    (brief,) = json.loads(grouper(home, "runs", "--json").stdout)
    run_id = brief["run"]
    assert (brief["name"], brief["state"], brief["step"]) == ("told", "cancelled", 2)
    shown = json.loads(grouper(home, "show", run_id, "--json").stdout)
    assert shown["completions"] == 4
    assert shown["config"]["rank"] == 16
    steps = json.loads(grouper(home, "metrics", run_id, "--json").stdout)
    assert [step["step"] for step in steps] == [1, 2]
    page = json.loads(grouper(home, "completions", run_id, "--step", "2", "--limit", "1", "--json").stdout)
    assert page["completions"][0]["text"] == "<answer>9</answer>"
    assert page["completions"][0]["token_ids"] == [5, 6, 70000]
    assert page["next"]
    assert json.loads(grouper(home, "delete", run_id, "--json").stdout)["deleted"]
    assert json.loads(grouper(home, "runs", "--json").stdout) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["launch", "--recipe", "adition", "--gpu", "cpu"],
        ["launch", "--recipe", "addition", "--gpu", "rtx-9999"],
        ["launch", "--recipe", "addition", "--gpu", "cpu", "--model", "smollm9"],
        ["launch", "--recipe", "addition", "--gpu", "cpu", "--rank", "24"],
        ["launch", "--recipe", "addition", "--gpu", "cpu", "--rank", "many"],
        ["launch", "--recipe", "addition", "--gpu", "cpu", "--set", "generation_batch_size=30"],
        ["launch", "--recipe", "addition", "--gpu", "cpu", "--set", "completion_tokens=100000"],
        ["launch", "--recipe", "addition", "--gpu", "cpu", "--set", "nonsense"],
        ["launch"],
        ["show", "nosuchrun"],
        ["completions", "nosuchrun"],
        ["stop", "nosuchrun"],
        ["runs", "--limit", "0"],
        ["frobnicate"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_exit_code_two(home: Path, arguments: list[str]) -> None:
    result = grouper(home, *arguments)
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert result.stdout == ""


def test_stopping_what_has_ended_is_an_error_in_one_line(home: Path) -> None:
    (brief,) = json.loads(grouper(home, "runs", "--json").stdout)
    result = grouper(home, "stop", brief["run"])
    assert (result.returncode, len(result.stderr.strip().splitlines())) == (1, 1)


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    database = open_database(load_settings({"GROUPER_HOME": str(tmp_path)}).database_url)
    config = make_config({"model": "smollm2-135m", "recipe": "addition", "rank": 16})
    with database.writing() as connection:
        run = lifecycle.enqueue(connection, config)
        record_step(connection, run.id, a_step(1, "\x1b[2Jgone \x07"))
    database.close()
    shown = grouper(tmp_path, "completions", run.id).stdout
    assert "\\x1b[2Jgone \\x07" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("gpu", ["h100-80gb", "cpu"])
def test_a_plan_counts_the_update_as_the_page_does(tmp_path: Path, gpu: str) -> None:
    """Both plan what the worker does: groups packed, nothing of the head kept."""
    sizes = {"rank": 16, "prompts_per_step": 2, "group_size": 8, "prompt_tokens": 100, "completion_tokens": 50}
    options = [part for name, value in sizes.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    told = json.loads(grouper(tmp_path, "plan", "--model", "qwen2.5-0.5b", "--gpu", gpu, *options, "--json").stdout)
    values = {"model": "qwen2.5-0.5b", "gpu": gpu, "recipe": "addition", "gradient_checkpointing": True, **sizes}
    shown = resolve(load_settings({"GROUPER_HOME": str(tmp_path)}), make_config(values)).plan.to_json()
    of_each = [
        {step: {line["name"]: line["bytes"] for line in part["lines"] if line["name"] in ("activations", "head")}
         for step, part in document["phases"]["update"]["parts"].items()}
        for document in (told, shown)
    ]  # fmt: skip
    assert of_each[0] == of_each[1]
    assert of_each[0]["forward"]["head"]
