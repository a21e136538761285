"""The reward functions of a user's file, read from its text: nothing is run.

The child finds the same when it runs the file, and what only running it tells besides: entries of `reward_funcs` that
are made by a call.
"""

import ast
from collections.abc import Iterator, Sequence

from core.errors import InvalidInput
from core.tasks.sandbox.signatures import OwnFunction, Parameter, described, recognise

Function = ast.FunctionDef | ast.AsyncFunctionDef


def read_own_code(source: str) -> tuple[OwnFunction, ...]:
    """What the file offers, in its order. Raises InvalidInput for text that is not Python."""
    try:
        module = ast.parse(source)
    except SyntaxError as error:
        raise InvalidInput(
            "file", f"line {error.lineno or 1}", f"which is not Python ({error.msg})", "mend that line"
        ) from None
    except (ValueError, RecursionError, MemoryError):  # null bytes, a tower of brackets
        raise InvalidInput("file", f"{len(source)} characters", "which are not Python", "give a Python file") from None
    defined = {function.name: function for function in _defined(module)}
    listed = _listed(module)
    if listed is None:
        return tuple(function for name, function in defined.items() if not name.startswith("_"))
    return tuple(defined.get(name) or described(name, "trl", _anything(), None) for name in listed)


def _defined(module: ast.Module) -> Iterator[OwnFunction]:
    for node in _statements(module.body):
        if isinstance(node, Function):
            found = recognise(node.name, _parameters(node), ast.get_docstring(node), of_class=False)
        elif isinstance(node, ast.ClassDef):
            calls = [each for each in node.body if isinstance(each, Function) and each.name == "__call__"]
            found = recognise(node.name, _parameters(calls[-1]), ast.get_docstring(node), True) if calls else None
        else:
            found = None
        if found is not None:
            yield found


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Module-level statements, also those under `try`, `if` and `with`."""
    for node in body:
        yield node
        for part in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.Try | ast.With):
                yield from _statements(getattr(node, part, []))


def _listed(module: ast.Module) -> list[str] | None:
    """The names in a module-level `reward_funcs`; None without one."""
    listed: list[str] | None = None
    for node in _statements(module.body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        if any(isinstance(target, ast.Name) and target.id == "reward_funcs" for target in targets):
            entries = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
            listed = [entry.id for entry in entries if isinstance(entry, ast.Name)]
    return listed


def _parameters(function: Function) -> list[Parameter]:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    without_default = len(positional) - len(arguments.defaults)
    found = [Parameter(each.arg, place < without_default) for place, each in enumerate(positional)]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    found += [Parameter(each.arg, default is None) for each, default in pairs]
    return found + ([Parameter(arguments.kwarg.arg, False, takes_all=True)] if arguments.kwarg else [])


def _anything() -> list[Parameter]:
    """Of a function that is defined elsewhere."""
    return [Parameter("kwargs", False, takes_all=True)]
