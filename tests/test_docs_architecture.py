"""docs/architecture.md holds: its journeys lead through functions that exist and use each other, its layers are the
contract's.

A line of a journey is `module:qualified.name`, with what it does after two spaces or more. A line that is indented
belongs under the nearest line above it that is indented less: that function's source mentions this one's last name, as
a name or as an attribute (a call, or a function passed on). Where the source knows it under another name, the line says
"as `NAME`, which MODULE:FUNCTION gives": then the source mentions NAME, and the giver mentions the function. Lines
under the same function stand in the order in which they are first used: a call is used where it ends, since its
arguments come first.
"""

import ast
import importlib.util
import re
import tomllib
from functools import cache
from typing import NamedTuple

import pytest

from core.settings import PROJECT

PAGE = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
LINE = re.compile(r"^( *)([\w.]+):([\w.]+)(?: {2,}(.+))?$")
ALIAS = re.compile(r"as `(\w+)`, which ([\w.]+):([\w.]+) gives")
Place = tuple[int, int]  # line and column of a source


class Stop(NamedTuple):
    """One line of a journey; `above` is the one that uses it."""

    module: str
    name: str
    words: str
    above: "Stop | None"

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


def journey(text: str) -> list[Stop]:
    stops: list[Stop] = []
    open_stops: list[tuple[int, Stop]] = []
    for line in filter(None, text.splitlines()):
        found = LINE.match(line)
        assert found is not None, line
        depth = len(found[1])
        while open_stops and open_stops[-1][0] >= depth:
            open_stops.pop()
        stop = Stop(found[2], found[3], found[4] or "", open_stops[-1][1] if open_stops else None)
        open_stops.append((depth, stop))
        stops.append(stop)
    return stops


JOURNEYS = {
    heading: journey(text) for heading, text in re.findall(r"^### (.+?)\n.*?^```text\n(.*?)^```$", PAGE, re.M | re.S)
}
STOPS = [stop for stops in JOURNEYS.values() for stop in stops]


@cache
def source(module: str) -> ast.Module:
    """Read and not imported: the worker's modules load torch."""
    spec = importlib.util.find_spec(module)
    assert spec is not None, f"there is no module {module}"
    assert spec.origin is not None
    with open(spec.origin, encoding="utf-8") as file:
        return ast.parse(file.read())


def definition(module: str, name: str) -> ast.AST:
    """The function or class of this qualified name; fails where there is none."""
    found: ast.AST = source(module)
    for part in name.split("."):
        inside = [
            node
            for node in ast.iter_child_nodes(found)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == part
        ]
        assert inside, f"{module} has no {name}"
        found = inside[-1]
    return found


def uses(function: ast.AST, name: str) -> list[Place]:
    """Where a function's source mentions a name; of a call, where the call ends."""
    called = {id(node.func): node for node in ast.walk(function) if isinstance(node, ast.Call)}
    places = []
    for node in ast.walk(function):
        if (isinstance(node, ast.Name) and node.id == name) or (isinstance(node, ast.Attribute) and node.attr == name):
            whole = called.get(id(node), node)
            places.append((whole.end_lineno or 0, whole.end_col_offset or 0))
    return sorted(places)


def known_as(stop: Stop) -> str:
    alias = ALIAS.search(stop.words)
    return alias[1] if alias else stop.name.rpartition(".")[2]


def test_there_are_three_journeys() -> None:
    assert [*JOURNEYS] == [
        "A completion, from the engine to the page",
        "A run's settings, from the form to the worker",
        "A memory plan, from the form to the bar",
    ]
    assert all(len(stops) > 10 for stops in JOURNEYS.values())


@pytest.mark.parametrize("stop", STOPS, ids=str)
def test_a_function_exists_and_the_one_above_uses_it(stop: Stop) -> None:
    definition(stop.module, stop.name)
    if stop.above is not None:
        function = definition(stop.above.module, stop.above.name)
        assert uses(function, known_as(stop)), f"{stop.above} does not mention {known_as(stop)}"
    for _, module, name in ALIAS.findall(stop.words):
        assert uses(definition(module, name), stop.name.rpartition(".")[2])


@pytest.mark.parametrize("above", dict.fromkeys(stop.above for stop in STOPS if stop.above), ids=str)
def test_what_a_function_uses_comes_in_its_order(above: Stop) -> None:
    function = definition(above.module, above.name)
    below = [known_as(stop) for stop in STOPS if stop.above == above]
    places = [uses(function, name)[0] for name in below]
    assert places == sorted(places), f"{above} uses them in another order than {below}"


def test_a_wrong_line_is_noticed() -> None:
    assert uses(definition("core.worker.step", "GrpoStep.run"), "sample")
    assert not uses(definition("core.worker.step", "GrpoStep.run"), "record_step")
    with pytest.raises(AssertionError, match="has no"):
        definition("core.worker.step", "GrpoStep.walk")


def test_the_layers_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = (each["layers"] for each in contracts["contracts"] if each["name"] == "the layers inside core")
    table = PAGE.split("| layer of `core` | what it is |")[1].split("\n\n")[0]
    described = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines()[2:]]
    assert described == [layer.split(" | ") for layer in layers]


def test_the_picture_is_there_and_can_be_read_in_light_and_dark() -> None:
    (name,) = re.findall(r"^!\[[^\]]+\]\((.+)\)$", PAGE, re.MULTILINE)
    picture = (PROJECT / "docs" / name).read_text(encoding="utf-8")
    assert "<title" in picture
    assert "prefers-color-scheme: dark" in picture
