"""The whole thing: a real model, the real engine, as many steps as it takes to learn, and what is left behind."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from engine_support import Demo, grouper

from core.store import open_database
from core.store.rollouts.load import list_groups
from core.store.runs import queries
from core.store.schema import completions, scores, tokens
from core.worker.checks.adapter_live import STEP_LIMIT

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

STOCK = """
import sys
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
base, adapter = sys.argv[1:3]
tokenizer = AutoTokenizer.from_pretrained(base)
policy = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype="float32"), adapter)
example = [{"role": "user", "content": "What is 2+2?"}, {"role": "assistant", "content": "<answer>4</answer>"}]
question = [*example, {"role": "user", "content": "What is 6+3?"}]
prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
answer = policy.generate(**prompt, max_new_tokens=20, do_sample=False)
print(tokenizer.decode(answer[0, prompt["input_ids"].shape[1]:], skip_special_tokens=True))
"""


def test_the_policy_learns(demo: Demo) -> None:
    document = demo.document
    assert set(document) == {
        "run", "state", "steps", "completions", "reward_first", "reward_last", "wall_seconds", "tokens_per_second",
        "phase_seconds", "adapter_path",
    }  # fmt: skip
    assert document["state"] == ("completed" if document["steps"] == 40 else "stopped")
    assert document["completions"] == document["steps"] * 32
    assert document["reward_first"] < 0.5
    assert document["reward_last"] > 0.85
    assert {"load: start engine", "generate", "sync", "reward", "update"} <= set(document["phase_seconds"])
    assert f"step {document['steps']}/40" in demo.progress or document["state"] in demo.progress


def test_every_completion_is_stored_whole(demo: Demo) -> None:
    database = open_database(demo.settings.database_url)
    with database.reading() as connection:
        counts = [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (completions, tokens, scores)
        ]
        sampled = demo.document["completions"]
        assert counts == [sampled, sampled, 2 * sampled]
        for step in queries.list_steps(connection, demo.document["run"]):
            assert {"loss", "grad_norm", "entropy", "mismatch/mean", "mismatch/kl"} <= set(step.metrics)
            assert 1 <= step.metrics["groups_updated"] <= 4  # whole groups, their prompt computed once
            assert min(step.memory[name] for name in ("rollout", "sync", "update", "resident")) > 0
        for step_number in (1, 20, demo.document["steps"]):
            groups = list_groups(connection, demo.document["run"], step_number, with_tokens=True)
            assert [len(group.completions) for group in groups] == [8] * 4
            for group in groups:
                assert "What is " in group.prompt
                assert group.prompt_token_ids
                assert group.fields["answer"] == sum(map(int, group.fields["question"].split("+")))
                for completion in group.completions:
                    assert completion.length == len(completion.token_ids) == len(completion.logprobs) > 0
                    assert all(-50 < value <= 0 for value in completion.logprobs)
                    assert completion.finish_reason == ("stop" if completion.text.endswith("<|im_end|>") else "length")
                    assert {score.function for score in completion.scores} == {"correctness", "format"}
                mean = sum(completion.reward or 0 for completion in group.completions) / 8
                for completion in group.completions:
                    assert completion.reward is not None
                    assert math.copysign(1, completion.advantage) == math.copysign(1, completion.reward - mean) or (
                        abs(completion.reward - mean) < 1e-6
                    )
    database.close()


def test_the_engine_samples_from_the_policy(demo: Demo) -> None:
    database = open_database(demo.settings.database_url)
    with database.reading() as connection:
        steps = queries.list_steps(connection, demo.document["run"])
    database.close()
    mismatches = [step.metrics["mismatch/mean"] or 0.0 for step in steps]
    assert sum(mismatches) / len(mismatches) < 0.06
    assert max(mismatches) < STEP_LIMIT


def test_completions_are_printed(demo: Demo) -> None:
    last = demo.document["steps"]
    asked = ("--json", "--step", str(last), "--limit", "5")
    result = grouper(demo.settings.home, "completions", demo.document["run"], *asked)
    page = json.loads(result.stdout)["completions"]
    assert len(page) == 5
    assert all(completion["step"] == last for completion in page)


def test_the_adapter_works_without_us(demo: Demo, tmp_path: Path) -> None:
    base = demo.settings.models / "smollm2-135m"
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", STOCK, str(base), demo.document["adapter_path"]],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert "<answer>9</answer>" in result.stdout, result.stdout + result.stderr[-2000:]
    adapter = json.loads((Path(demo.document["adapter_path"]) / "adapter_config.json").read_text(encoding="utf-8"))
    assert adapter["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"


def test_checkpoints_are_kept(demo: Demo) -> None:
    database = open_database(demo.settings.database_url)
    with database.reading() as connection:
        kept = queries.list_checkpoints(connection, demo.document["run"])
    database.close()
    assert [checkpoint.step for checkpoint in kept] == [20, demo.document["steps"]]
    assert all((Path(checkpoint.path) / "adapter_model.safetensors").is_file() for checkpoint in kept)


def test_without_the_engine_it_works_and_says_so(demo: Demo) -> None:
    result = grouper(
        demo.settings.home, "launch", "--recipe", "json-extraction", "--gpu", "cpu", "--steps", "2", "--rank", "4",
        "--fast-inference", "off", "--set", "group_size=2", "--set", "prompts_per_step=2", "--set",
        "completion_tokens=12", "--wait", "--json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    document = json.loads(result.stdout)
    assert (document["state"], document["completions"]) == ("completed", 8)
    metrics = json.loads(grouper(demo.settings.home, "metrics", document["run"], "--json").stdout)
    assert all(step["metrics"]["mismatch/mean"] < 0.1 for step in metrics)
    log = (demo.settings.run_folder(document["run"]) / "worker.log").read_text(encoding="utf-8")
    assert log.count("plain generate") == 1


def test_a_run_that_cannot_go_on_says_why(demo: Demo, tmp_path: Path) -> None:
    broken = tmp_path / "broken-model"
    broken.mkdir()
    source = demo.settings.models / "smollm2-135m"
    for path in source.iterdir():
        if path.suffix != ".safetensors":
            (broken / path.name).write_bytes(path.read_bytes())
    (broken / "model.safetensors").write_bytes((source / "model.safetensors").read_bytes()[:100_000])
    result = grouper(
        demo.settings.home, "launch", "--recipe", "addition", "--gpu", "cpu", "--model", str(broken), "--steps", "1",
        "--wait", "--json",
    )  # fmt: skip
    assert result.returncode == 1
    document = json.loads(result.stdout)
    assert document["state"] == "failed"
    assert document["failure"]["message"]
    assert document["failure"]["remedy"]
    shown = json.loads(grouper(demo.settings.home, "show", document["run"], "--json").stdout)
    assert shown["failure"]["details"]
