"""Saved tasks: versions by content, shared as one file, nothing run and nothing lost."""

import zipfile
from pathlib import Path

import pytest
from own_support import TASK, make_task, saved, write_capitals

from core.errors import InvalidInput, NotFound
from core.tasks.builtin.generators import GENERATORS
from core.tasks.own.approvals import approvals, approve, check_approved, may_run_unprotected
from core.tasks.own.archive import export_task, import_task
from core.tasks.own.saved import check_data, find_saved, list_saved, load_saved
from core.tasks.registry import get_recipe, own_task, save, task_files

OWN = TASK + '\n[[reward]]\npython = "rewards.py:brief"\nweight = 0.1\n'
BRIEF = "import sys\nsys.exit('it ran')\ndef brief(completions, **kwargs):\n    return [1.0 for each in completions]\n"


def test_the_same_task_is_the_same_version_wherever_it_lies(tmp_path: Path) -> None:
    tasks = tmp_path / "tasks"
    first, again = saved(make_task(tmp_path / "a"), tasks), saved(make_task(tmp_path / "b"), tasks)
    assert first == again
    assert [each.name for each in list_saved(tasks)] == [first.name]
    changed = make_task(tmp_path / "c", TASK.replace("0.8", "0.7"))
    other_rows = make_task(tmp_path / "d")
    write_capitals(tmp_path / "d", [("France", "Paris"), ("Italy", "Rome"), ("Spain", "Madrid"), ("Peru", "Lima")])
    versions = {first.name, saved(changed, tasks).name, saved(other_rows, tasks).name}
    assert len(versions) == 3
    assert find_saved("capitals", tasks).name in versions - {first.name}  # the newest


def test_a_saved_task_needs_nothing_of_the_folder_that_it_came_from(tmp_path: Path) -> None:
    tasks, own = tmp_path / "tasks", make_task(tmp_path / "a", OWN, BRIEF)
    asked, name = own.task().examples(8, 0), saved(own, tasks).name
    for path in (tmp_path / "a").iterdir():
        path.unlink()
    task = get_recipe(name, tasks)
    assert task.name == name
    assert task.examples(8, 0) == asked
    assert {path.name for path in task_files(name, tasks)} == {"task.toml", "rewards.py"}


def test_a_task_with_other_rows_than_it_was_saved_with_is_refused(tmp_path: Path) -> None:
    tasks = tmp_path / "tasks"
    version = saved(make_task(tmp_path / "a"), tasks)
    check_data(version, tmp_path / "cache")
    write_capitals(version.folder / "data", [("France", "Lyon"), ("Italy", "Rome"), ("Spain", "Madrid")])
    with pytest.raises(InvalidInput, match="have changed"):
        check_data(version, tmp_path / "cache")


def test_an_exported_task_is_the_same_version_where_it_is_imported(tmp_path: Path) -> None:
    version = saved(make_task(tmp_path / "a", OWN, BRIEF), tmp_path / "tasks")
    archive = export_task(version, tmp_path / "task.zip")
    there = save(str(archive), tmp_path / "elsewhere")
    assert there.name == version.name
    assert load_saved(there, tmp_path / "c", GENERATORS).examples(5, 0) == get_recipe(
        version.name, tmp_path / "tasks"
    ).examples(5, 0)
    with pytest.raises(InvalidInput, match="exists"):
        export_task(version, archive)


@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/outside.txt", "a/../../outside.txt", "a\\..\\b.txt"])
def test_an_archive_writes_nothing_outside(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "bad.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("task.toml", TASK)
        file.writestr(name, "x")
    with pytest.raises(InvalidInput, match="holds"):
        import_task(archive, tmp_path / "tasks", tmp_path / "cache", GENERATORS)
    assert not (tmp_path / "outside.txt").exists()
    assert list_saved(tmp_path / "tasks") == []


@pytest.mark.parametrize("source", ["/etc/passwd", "../secret.csv", "~/secret.csv"])
def test_an_archive_reads_nothing_outside(tmp_path: Path, source: str) -> None:
    archive = tmp_path / "bad.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("task.toml", TASK.replace("capitals.csv", source))
    with pytest.raises(InvalidInput, match="outside the archive"):
        import_task(archive, tmp_path / "tasks", tmp_path / "cache", GENERATORS)


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(InvalidInput, match=r"a\.zip"):
        save(str(tmp_path / "a.zip"), tmp_path / "tasks")
    with pytest.raises(NotFound, match="not saved here"):
        save("nowhere", tmp_path / "tasks")
    with pytest.raises(NotFound, match=r"task\.toml"):
        own_task(str(tmp_path), tmp_path / "tasks")


def test_a_file_scores_only_as_it_was_agreed_to(tmp_path: Path) -> None:
    tasks = tmp_path / "tasks"
    rewards = make_task(tmp_path / "a", OWN, BRIEF).task().rewards
    with pytest.raises(InvalidInput, match="nobody has agreed"):
        check_approved(rewards, tasks)
    sha256 = next(reward.code.sha256 for reward in rewards if getattr(reward.code, "sha256", ""))
    approve(tasks, sha256)
    check_approved(rewards, tasks)
    assert not may_run_unprotected(rewards, tasks)
    approve(tasks, sha256, unprotected=True)
    assert may_run_unprotected(rewards, tasks)
    changed = make_task(tmp_path / "b", OWN, BRIEF + "\n").task().rewards
    with pytest.raises(InvalidInput, match="nobody has agreed"):
        check_approved(changed, tasks)
    (tasks / "approvals.json").write_text("{", encoding="utf-8")
    assert approvals(tasks) == {}
