"""The laws of the layout: broken on purpose, `lint-imports` must say so; the web process never loads torch."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import PROJECT

LINT = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINT, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("core", "grouper", "webui"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("app.py", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path)
    return tmp_path


@pytest.mark.tree
def test_the_layout_keeps_its_laws(copy: Path) -> None:
    assert lint(copy).returncode == 0, lint(copy).stdout


@pytest.mark.tree
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
        ("grouper/__init__.py", "import webui.present"),
        ("grouper/__init__.py", "import gradio"),
        ("webui/present.py", "import grouper"),
        ("core/bench/program.py", "import grouper"),
    ],
)
def test_a_broken_law_is_noticed(copy: Path, module: str, statement: str) -> None:
    path = copy / module
    path.write_text(path.read_text(encoding="utf-8") + f"\n{statement}\n", encoding="utf-8")
    assert lint(copy).returncode != 0


@pytest.mark.tree
@pytest.mark.parametrize("module", ["core/stray.py", "core/store/stray.py", "core/worker/stray.py", "webui/stray.py"])
def test_a_module_outside_every_layer_is_noticed(copy: Path, module: str) -> None:
    (copy / module).write_text('"""Belongs nowhere."""\n', encoding="utf-8")
    assert lint(copy).returncode != 0


def test_environment_is_read_in_one_place() -> None:
    readers = [
        path.relative_to(PROJECT).as_posix()
        for folder in ("core", "grouper", "webui")
        for path in (PROJECT / folder).rglob("*.py")
        if "os.environ" in path.read_text(encoding="utf-8") or "getenv" in path.read_text(encoding="utf-8")
    ]
    assert readers == ["core/settings.py"]


@pytest.mark.tree
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


# What each project promises; anything else of it is private, and so is every name with an underscore.
PROMISED = {
    "bitsandbytes": {"bitsandbytes", "bitsandbytes.functional"},
    "gradio": {"gradio", "gradio.components", "gradio.themes", "gradio.themes.utils", "gradio.themes.utils.colors"},
    "peft": {"peft", "peft.tuners.lora"},
    "torch": {"torch", "torch.nn.functional", "torch.nn.utils.rnn", "torch.utils.checkpoint"},
    "transformers": {"transformers"},
    "trl": {"trl"},
    "typer": {"typer"},
    "vllm": {"vllm", "vllm.lora.request"},
}


def private_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of everything that a module takes from another project without that project's promise."""
    for node in ast.walk(tree):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module]
            project = node.module.partition(".")[0]
            yield from ((node.lineno, each.name) for each in node.names if project in PROMISED and each.name[0] == "_")
        for module in modules:
            if module not in PROMISED.get(module.partition(".")[0], {module}):
                yield node.lineno, module
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.endswith("__"):
            of_its_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not of_its_own:
                yield node.lineno, node.attr


def test_private_names_of_other_projects_stand_in_upstream() -> None:
    found = [
        f"{path.relative_to(PROJECT)}:{line} {name}"
        for folder in ("core", "webui")
        for path in sorted((PROJECT / folder).rglob("*.py"))
        if "upstream" not in path.parts
        for line, name in private_names(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "statement",
    [
        "from vllm.v1.core.sched.scheduler import Scheduler",
        "import trl.trainer.utils",
        "from typer._click import Context",
        "from torch import _C",
        "engine.llm._scheduler.step()",
        "super()._prepare_inputs(batch)",
    ],
)
def test_a_private_name_is_noticed(statement: str) -> None:
    assert [*private_names(ast.parse(statement))]
