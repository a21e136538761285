"""What the project promises about installing itself."""

import tomllib

from core.settings import PROJECT

PINS = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_requirements_are_the_projects_own() -> None:
    lines = (PROJECT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == PINS["dependencies"]


def test_everything_is_pinned() -> None:
    extras = [pin for extra in PINS["optional-dependencies"].values() for pin in extra]
    assert all("==" in pin for pin in [*PINS["dependencies"], *extras])


def test_light_dependencies_stay_light() -> None:
    assert not any(pin.startswith(("torch", "vllm", "transformers", "trl", "peft")) for pin in PINS["dependencies"])


def test_nothing_committed_names_a_download_address() -> None:
    for name in ("pyproject.toml", "requirements.txt", "Makefile", "tools/setup.py", "README.md"):
        text = (PROJECT / name).read_text(encoding="utf-8")
        assert ".whl" not in text
        assert "pypi." not in text
