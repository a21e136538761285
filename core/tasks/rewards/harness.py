"""Runs a program and its tests, in the program's own process: its text goes there in front of a call of `main`.

What a program should answer never gets here. Where a test compares with a literal, the value goes out and is compared
by whoever asked; a program that looks around in its process finds questions without answers.
"""

import json
import os
import sys
import types
from typing import Any

DEEPEST = 50


def main(program: str, tests: list[tuple[str, str]], mark: str) -> None:
    """Writes a line "MARK NUMBER JSON" for each test that did not fail.

    tests  ("setup" | "assert" | "value", Python): statements that prepare, one that must not raise, an expression
    """
    encode, write, out = json.JSONEncoder().encode, os.write, os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what it prints is not asked for here
    module = sys.modules["program"] = types.ModuleType("program")
    exec(compile(program, "program.py", "exec"), vars(module))
    for number, (kind, text) in enumerate(tests):
        try:
            if kind == "value":
                told = encode(plain(eval(text, vars(module))))
            else:
                exec(text, vars(module))
                told = "true"
        except BaseException:
            continue
        if kind != "setup":
            write(out, f"{mark} {number} {told}\n".encode())


def plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON that keeps apart what JSON would not: whole numbers, lists, tuples, sets, keys that are no text.

    `program_tests.value_of` is the way back.
    """
    if depth > DEEPEST:
        raise ValueError
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return {"int": str(int(value))}
    if isinstance(value, (float, complex)):
        return {type(value).__name__: repr(value)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, dict):
        return {"dict": [[plain(key, depth + 1), plain(value[key], depth + 1)] for key in value]}
    for name, kind in (("list", list), ("tuple", tuple), ("set", (set, frozenset))):
        if isinstance(value, kind):
            return {name: [plain(each, depth + 1) for each in value]}
    if hasattr(value, "tolist"):  # arrays and numbers of numpy
        return plain(value.tolist(), depth + 1)
    return {"other": type(value).__name__}
