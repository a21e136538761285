"""The shelf of private names: all is as expected at the pins, and what changes is noticed before anything is loaded."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trl
from engine_support import grouper
from faults_support import newest
from runs_support import VALUES
from tiny_support import save_tiny

from core.errors import RunError
from core.records.status import RunStatus
from core.settings import load_settings
from core.worker.upstream import expected
from core.worker.upstream.shim import all_of, holds, reads, release_is, takes
from core.worker.upstream.shims import SHIMS

HERE = __name__


class Upstream:
    kept = 1

    def hook(self, model: object, inputs: object, width: int = 0) -> object:
        return (model, inputs, width, "a_key")


@pytest.mark.parametrize("name", [f"{each.project} {each.name}" for each in SHIMS])
def test_all_is_as_expected_at_the_pins(name: str) -> None:
    (found,) = (each for each in SHIMS if f"{each.project} {each.name}" == name)
    assert found.problem == ""
    assert found.why
    assert found.upstream
    assert found.until


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (takes(f"{HERE}:Upstream.hook", "model", "inputs"), ""),
        (takes(f"{HERE}:Upstream.hook", "inputs", "model"), "takes them in another order"),
        (takes(f"{HERE}:Upstream.hook", "model", "batch"), "takes no batch"),
        (takes(f"{HERE}:Upstream.renamed", "model"), "is gone"),
        (takes("no.such.module:hook", "model"), "is gone"),
        (holds(f"{HERE}:Upstream", "kept"), ""),
        (holds(f"{HERE}:Upstream", "kept", "lost"), "has no lost"),
        (holds(f"{HERE}:Gone", "kept"), "is gone"),
        (reads(f"{HERE}:Upstream.hook", "a_key", "width"), ""),
        (reads(f"{HERE}:Upstream.hook", "another_key"), "speaks no more of another_key"),
        (release_is("pytest", (1, 0)), "was not tried"),
        (all_of(holds(f"{HERE}:Upstream", "kept"), holds(f"{HERE}:Upstream", "lost")), "has no lost"),
    ],
)
def test_what_changed_is_said(check: Callable[[], str], said: str) -> None:
    assert check() == said


def test_a_check_that_raises_is_a_finding() -> None:
    def broken() -> str:
        raise TypeError("no signature")

    assert "cannot be looked at (TypeError: no signature)" in replace(SHIMS[0], check=broken).problem


EVERYTHING = (*expected.trainer_of("nf4"), "vllm")


def test_what_no_run_can_do_without_ends_it_and_the_rest_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = [replace(each, check=lambda: "is gone", device="") for each in SHIMS]
    monkeypatch.setattr(expected, "SHIMS", [each for each in gone if each.without])
    lacking = expected.must_be_as_expected(EVERYTHING, "cpu")
    assert len(lacking) == sum(bool(each.without) for each in SHIMS)
    assert all(" is gone; known to work: " in sentence and ". So " in sentence for sentence in lacking)
    monkeypatch.setattr(expected, "SHIMS", gone)
    with pytest.raises(RunError, match=r"GRPOTrainer\._prepare_inputs of trl .* is gone; known to work: TRL 1\.16"):
        expected.must_be_as_expected(expected.trainer_of("none"), "cpu")


def test_a_run_leans_on_what_it_uses_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expected, "SHIMS", [replace(each, check=lambda: "is gone") for each in SHIMS])
    for device, other in (("cpu", "cuda"), ("cuda", "cpu")):
        found = {shim.device for shim, _ in expected.unexpected(EVERYTHING, device)}
        assert found == {"", device}
        assert other not in found
    assert {shim.project for shim, _ in expected.unexpected(expected.trainer_of("none"), "cpu")} == {
        "trl", "transformers", "peft",
    }  # fmt: skip


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_a_hook_that_trl_renamed_ends_the_run_before_anything_is_loaded(tmp_path: Path) -> None:
    """A copy of TRL comes first on the path, in which the hook has another name."""
    copy = tmp_path / "path" / "trl"
    shutil.copytree(Path(trl.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    trainer = copy / "trainer" / "grpo_trainer.py"
    source = trainer.read_text(encoding="utf-8")
    assert "_get_per_token_logps_and_entropies" in source
    trainer.write_text(source.replace("_get_per_token_logps_and_entropies", "_score_tokens"), encoding="utf-8")
    home, model = tmp_path / "home", save_tiny(tmp_path / "model")
    assignments = [part for name, value in VALUES.items() for part in ("--set", f"{name}={value}")]
    launch = ("launch", "--recipe", "addition", "--model", str(model), "--gpu", "cpu", *assignments, "--wait")
    assert grouper(home, *launch, PYTHONPATH=str(copy.parent)).returncode == 1
    settings = load_settings({"GROUPER_HOME": str(home)})
    run = newest(settings)
    assert (run.status, run.step) == (RunStatus.FAILED, 0)
    assert run.failure is not None
    assert run.failure.kind == "unknown-version"
    assert run.failure.message.startswith("GRPOTrainer._get_per_token_logps_and_entropies of trl 1.16")
    assert run.failure.message.endswith("known to work: TRL 1.16.")
    assert "read weights" not in (settings.run_folder(run.id) / "worker.log").read_text(encoding="utf-8")
