"""What a reward function asks for, read from its parameters alone: of a function by the child, of a text by `reading`.

Three forms are understood, each unchanged as its project documents it:
trl       f(prompts=, completions=, completion_ids=, COLUMN=..., trainer_state=, log_extra=, log_metric=) -> list
          https://huggingface.co/docs/trl/main/en/grpo_trainer#using-a-custom-reward-function
verl      compute_score(data_source, solution_str, ground_truth, extra_info=None) -> float or {"score": float, ...}
          https://verl.readthedocs.io/en/latest/preparation/reward_function.html
ms-swift  a class with __call__(self, completions, COLUMN..., **kwargs) -> list, made without arguments
          https://swift.readthedocs.io/en/latest/Instruction/GRPO/DeveloperGuide/reward_function.html
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

from core.tasks.sandbox.wording import clean

Kind = Literal["trl", "verl", "ms-swift"]
LONGEST_NAME, LONGEST_ABOUT = 200, 200  # characters

# What each kind's trainer gives by itself; every other parameter is a column of the data.
GIVEN: Mapping[Kind, frozenset[str]] = {
    "trl": frozenset(
        {"prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric", "environments"}
    ),
    "verl": frozenset({"solution_str"}),
    "ms-swift": frozenset({"self", "completions", "messages", "trainer_state"}),
}


# Columns that may be missing where a function asks for them, with what it is given then.
ASSUMED: Mapping[str, str] = {"data_source": ""}  # verl's, which picks a function in files that hold several
# Columns that may stand inside another, under their own name: verl's tables keep the answer one level down.
INSIDE: Mapping[str, str] = {"ground_truth": "reward_model"}


class Parameter(NamedTuple):
    """One parameter of a function: whether a call must give it, and whether it stands for any others (**kwargs)."""

    name: str
    required: bool
    takes_all: bool = False


@dataclass(frozen=True)
class OwnFunction:
    """A reward function that a user's file offers.

    about      the first line of its docstring
    columns    the columns of the data that it cannot do without
    optional   those it knows what to do without
    takes_all  whether it is given every other column too
    """

    name: str
    kind: Kind
    about: str = ""
    columns: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    takes_all: bool = False

    def reads(self, available: Collection[str]) -> tuple[str, ...]:
        """The columns, of those that a table has, in which the function's own stand."""
        held = {name: outer for name, outer in INSIDE.items() if name not in available and outer in available}
        return tuple(held.get(name, name) for name in self.columns)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def recognise(name: str, parameters: Sequence[Parameter], docstring: str | None, of_class: bool) -> OwnFunction | None:
    """The reward function with these parameters, or None where it is something else.

    of_class  the parameters are those of a class's `__call__`, `self` among them
    """
    names = {parameter.name for parameter in parameters if not parameter.takes_all}
    if of_class:
        kind: Kind | None = "ms-swift" if "completions" in names else None
    elif {"solution_str", "ground_truth"} <= names:
        kind = "verl"
    else:
        kind = "trl" if names & {"completions", "completion_ids"} else None
    return None if kind is None else described(name, kind, parameters, docstring)


def described(name: str, kind: Kind, parameters: Sequence[Parameter], docstring: str | None) -> OwnFunction:
    """What a function that is known to be of this kind asks for."""
    columns = [each for each in parameters if not each.takes_all and each.name not in GIVEN[kind]]
    lines = (docstring or "").strip().splitlines()
    return OwnFunction(
        name,
        kind,
        clean(lines[0].strip(), LONGEST_ABOUT) if lines else "",
        tuple(each.name for each in columns if each.required and each.name not in ASSUMED),
        tuple(each.name for each in columns if not each.required or each.name in ASSUMED),
        any(each.takes_all for each in parameters),
    )


def from_json(value: Any) -> OwnFunction:
    """The function that a child describes. Raises ValueError for anything that does not describe one."""
    if not isinstance(value, dict) or value.get("kind") not in get_args(Kind):
        raise ValueError("no reward function")
    names = [value.get("name"), *value.get("columns", ()), *value.get("optional", ())]
    if not all(isinstance(name, str) and name.isprintable() and len(name) <= LONGEST_NAME for name in names):
        raise ValueError("a reward function whose names are no short texts")
    return OwnFunction(
        value["name"],
        value["kind"],
        clean(str(value["about"]), LONGEST_ABOUT),
        tuple(value["columns"]),
        tuple(value["optional"]),
        bool(value["takes_all"]),
    )
