"""Scores for the countdown game: reach the target with the given numbers, each used once, and + - * /."""

import ast
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from core.tasks.rewards.reward import LibraryReward, between_tags

OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
LONGEST = 200


class Equation(LibraryReward):
    """What both rewards of the game read: a tagged equation, and the row's numbers and target."""

    @property
    def columns(self) -> tuple[str, ...]:
        return ("numbers", "target")

    @property
    def looks_for(self) -> tuple[str, ...]:
        return ("<answer>",)


class CountdownNumbers(Equation):
    """1 for an equation of exactly the numbers given."""

    about = "1 when the tagged equation uses every number exactly once."

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        tree = _equation(text)
        if tree is None:
            return 0.0
        used = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and type(node.value) is int]
        return float(sorted(used) == sorted(fields["numbers"]))


class CountdownTarget(CountdownNumbers):
    """1 for an equation of these numbers with the target as its value, exactly and not in floating point."""

    about = "1 when the equation is valid and has the target as its value."

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        tree = _equation(text)
        if tree is None or not super().score(text, fields):
            return 0.0
        try:
            return float(_value(tree) == fields["target"])
        except ZeroDivisionError:
            return 0.0


def _equation(completion: str) -> ast.expr | None:
    """The tagged text as a tree of whole numbers and the four operators; None for anything else."""
    text = between_tags(completion, "answer")
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
