"""The documents that tools/docs.py makes of the code are as it makes them, and a difference is noticed."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli.main import COMMANDS
from core.config import RunConfig
from core.settings import PROJECT, VARIABLES

DOCS = PROJECT / "docs"
MADE = ("configuration.md", "cli.md", "task-file.md")


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, PROJECT / "tools" / "docs.py", "--check", "--folder", folder]
    return subprocess.run(program, cwd=PROJECT, capture_output=True, text=True)


def test_they_are_as_they_are_made() -> None:
    assert check(DOCS).stderr == ""
    assert check(DOCS).returncode == 0


@pytest.mark.parametrize("name", MADE)
def test_a_difference_is_one_sentence(name: str, tmp_path: Path) -> None:
    for made in MADE:
        shutil.copy(DOCS / made, tmp_path)
    text = (tmp_path / name).read_text(encoding="utf-8")
    (tmp_path / name).write_text(text.replace("| `", "| `x", 1), encoding="utf-8")
    broken = check(tmp_path)
    assert broken.returncode == 1
    assert broken.stdout == ""
    assert broken.stderr.count("\n") == 1
    assert name in broken.stderr
    assert "tools/docs.py" in broken.stderr


def test_every_field_and_every_command_is_there() -> None:
    fields = re.findall(r"^\| `(\w+)` \|", (DOCS / "configuration.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert fields == [*RunConfig.model_fields, *VARIABLES]
    headings = re.findall(r"^## grouper (\w+)$", (DOCS / "cli.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [*COMMANDS]


def test_every_variable_that_is_read_is_described() -> None:
    tree = ast.parse((PROJECT / "core" / "settings.py").read_text(encoding="utf-8"))
    read = {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in ("get", "setdefault")
        and ast.unparse(call.func.value) in ("environ", "os.environ")
        and isinstance(call.args[0], ast.Constant)
    }
    assert read == set(VARIABLES)
