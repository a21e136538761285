"""The laws of the layout: broken on purpose, `lint-imports` must say so; the web process never loads torch."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import PROJECT

LINT = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINT, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("core", "webui"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("app.py", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path)
    return tmp_path


def test_the_layout_keeps_its_laws(copy: Path) -> None:
    assert lint(copy).returncode == 0, lint(copy).stdout


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("webui/present.py", "import torch"),
        ("core/planner/constants.py", "import torch"),
        ("core/store/schema.py", "import torch"),
        ("webui/pages/runs.py", "import sqlalchemy"),
        ("core/units.py", "import gradio"),
        ("core/records/run.py", "import core.store"),
        ("core/installation.py", "import core.worker"),
        ("core/config/run_config.py", "import core.tasks"),
    ],
)
def test_a_broken_law_is_noticed(copy: Path, module: str, statement: str) -> None:
    path = copy / module
    path.write_text(path.read_text(encoding="utf-8") + f"\n{statement}\n", encoding="utf-8")
    assert lint(copy).returncode != 0


@pytest.mark.parametrize("module", ["core/stray.py", "core/store/stray.py", "core/worker/stray.py", "webui/stray.py"])
def test_a_module_outside_every_layer_is_noticed(copy: Path, module: str) -> None:
    (copy / module).write_text('"""Belongs nowhere."""\n', encoding="utf-8")
    assert lint(copy).returncode != 0


def test_environment_is_read_in_one_place() -> None:
    readers = [
        path.relative_to(PROJECT).as_posix()
        for folder in ("core", "webui")
        for path in (PROJECT / folder).rglob("*.py")
        if "os.environ" in path.read_text(encoding="utf-8") or "getenv" in path.read_text(encoding="utf-8")
    ]
    assert readers == ["core/settings.py"]


def test_the_web_process_loads_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from core.settings import load_settings\n"
        "from webui.app import create_app\n"
        "from webui.services import open_services\n"
        f"services = open_services(load_settings({{'GROUPER_HOME': {str(tmp_path)!r}}}))\n"
        "create_app(services)\n"
        "heavy = {'torch', 'vllm', 'trl', 'peft', 'transformers', 'bitsandbytes'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=PROJECT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
