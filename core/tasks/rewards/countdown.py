"""Scores for the countdown game: reach the target with the given numbers, each used once, and + - * /."""

import ast
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from core.tasks.rewards.answers import tagged_answer

OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
LONGEST = 200


def equation_uses_numbers(completion: str, fields: Mapping[str, Any]) -> float:
    """1.0 when the tagged equation parses and uses each of `fields["numbers"]` exactly once, else 0.0."""
    tree = _equation(completion)
    if tree is None:
        return 0.0
    used = sorted(node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and type(node.value) is int)
    return float(used == sorted(fields["numbers"]))


def equation_reaches_target(completion: str, fields: Mapping[str, Any]) -> float:
    """1.0 when the equation also has the value `fields["target"]`, exactly and not in floating point, else 0.0."""
    tree = _equation(completion)
    if tree is None or not equation_uses_numbers(completion, fields):
        return 0.0
    try:
        return float(_value(tree) == fields["target"])
    except ZeroDivisionError:
        return 0.0


def _equation(completion: str) -> ast.expr | None:
    """The tagged text as a tree of whole numbers and the four operators; None for anything else."""
    text = tagged_answer(completion)
    if text is None or len(text) > LONGEST:
        return None
    try:
        tree = ast.parse(text.split("=")[0].strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if all(_is_allowed(node) for node in ast.walk(tree)) else None


def _is_allowed(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) is int
    return isinstance(node, (ast.BinOp, ast.operator)) and (isinstance(node, ast.BinOp) or type(node) in OPERATORS)


def _value(tree: ast.expr) -> Fraction:
    if isinstance(tree, ast.BinOp):
        return OPERATORS[type(tree.op)](_value(tree.left), _value(tree.right))
    assert isinstance(tree, ast.Constant)
    assert isinstance(tree.value, int)
    return Fraction(tree.value)
