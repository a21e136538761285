"""What `task.toml` says, read and written."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.config import RunConfig
from core.config.run_config import ALIASES
from core.config.sentence import sentence
from core.errors import InvalidInput, NotFound

FILE = "task.toml"
LARGEST = 1 << 20  # bytes
NAME = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
SIZES = ("small", "medium", "large", "builtin")
# What a run is asked for by name, and what the task brings itself.
NOT_TO_START_WITH = ("model", "gpu", "recipe", "dataset", "reward_weights")


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


class Data(Part):
    """Where rows come from: `source` for files and Hub data sets, `use` for examples that a function makes."""

    source: str = Field("", max_length=2000, description="A file or folder beside the task, or hub:owner/name.")
    config: str = Field("", max_length=200, description="Config of a Hub data set.")
    split: str = Field("train", max_length=200, description="Split of a Hub data set.")
    revision: str = Field("", max_length=200, description="Revision of a Hub data set; empty: the newest, then kept.")
    bad_rows: Literal["leave-out", "stop"] = Field("leave-out", description="What to do with rows that cannot be used.")
    use: str = Field("", max_length=200, description="Examples that a function makes, such as reasoning-gym:chain_sum.")
    settings: dict[str, Any] = Field(default_factory=dict, description="Settings of that function.")
    shots: int = Field(1, ge=0, le=8, description="Answered examples that a family of reasoning-gym shows first.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.source) == bool(self.use):
            problem = "beside data.use" if self.source else "and so is data.use"
            raise InvalidInput("data.source", self.source, problem, "give one of the two: files, or a function")
        if self.source and "shots" in self.model_fields_set:
            raise InvalidInput("data.shots", self.shots, "beside data.source", "write it as prompt.shots")
        return self


class Evaluation(Part):
    """What is asked between the steps and never trained on."""

    rows: int = Field(64, ge=0, le=100_000, description="Rows held out, chosen by a fixed key; 0: none.")
    split: str = Field("", max_length=200, description="A split of the Hub data set to evaluate on instead.")
    source: str = Field("", max_length=2000, description="A file to evaluate on instead.")


class Prompt(Part):
    """What the model is asked, as texts over a row's columns."""

    system: str = Field("", max_length=100_000, description="What the system message says; empty: none.")
    user: str = Field("", max_length=100_000, description="What the user asks.")
    messages: str = Field("", max_length=200, description="A column that holds the whole chat instead.")
    shots: int = Field(0, ge=0, le=32, description="Rows shown with their answers before the question; never asked.")
    gold: str = Field("", max_length=100_000, description="A completion that scores best; needed for shots.")

    @model_validator(mode="after")
    def _something_is_asked(self) -> Self:
        if bool(self.user) == bool(self.messages):
            problem = "beside prompt.messages" if self.user else "and so is prompt.messages"
            raise InvalidInput("prompt.user", self.user, problem, "give one of the two: a text, or a column of chats")
        if self.shots and not self.gold:
            raise InvalidInput("prompt.shots", self.shots, "but prompt.gold is empty", "say what an answer looks like")
        return self


class RewardPart(BaseModel):
    """One reward: `use` names one of the library and further keys are its options; `python` names a function."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False, protected_namespaces=())

    use: str = Field("", max_length=100, description="Name of a reward of the library.")
    python: str = Field("", max_length=200, description="A function of the file beside the task, as rewards.py:brief.")
    name: str = Field("", pattern=r"^[\w-]{0,60}$", description="What it is called; empty: use or the function.")
    weight: float = Field(1.0, ge=-1000, le=1000, description="Weight in the reward.")
    about: str = Field("", max_length=300, description="One line: what it measures.")
    whole_batch: bool = Field(False, description="The function compares completions: give it all of a step at once.")
    form: Literal["chat", "text"] = Field("chat", description="Completions as lists of messages, or as strings.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.use) == bool(self.python):
            raise InvalidInput("reward.use", self.use, "as is reward.python", "give one of the two")
        file, separator, function = self.python.partition(":")
        if self.python and not (separator and re.fullmatch(r"[\w-]+\.py", file) and function.isidentifier()):
            raise InvalidInput("reward.python", self.python, "which is not FILE.py:FUNCTION", "write rewards.py:brief")
        if self.python and self.model_extra:
            raise InvalidInput("reward", next(iter(self.model_extra)), "which no own function takes", "leave it out")
        return self

    @property
    def title(self) -> str:
        return self.name or self.use or self.function

    @property
    def file(self) -> str:
        return self.python.partition(":")[0]

    @property
    def function(self) -> str:
        return self.python.partition(":")[2]

    @property
    def options(self) -> dict[str, Any]:
        """Options of the library's reward."""
        return dict(self.model_extra or {})


class TaskSpec(Part):
    """A whole task file."""

    name: str = Field(pattern=NAME, description="Small letters, digits and dashes.")
    title: str = Field("", max_length=120, description="What it is called on pages; empty: the name.")
    description: str = Field("", max_length=1000, description="One or two sentences about it.")
    data: Data
    evaluation: Evaluation = Evaluation.model_validate({})
    prompt: Prompt | None = Field(None, description="What is asked; left out where a function makes the examples.")
    reward: Annotated[tuple[RewardPart, ...], Field(min_length=1, max_length=32, description="At least one.")]
    start: dict[str, Any] = Field(default_factory=dict, description="Settings to start a run with.")

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if self.data.source and self.prompt is None:
            raise InvalidInput("prompt", "", "which is missing", "say what is asked: [prompt] user = ...")
        if self.data.use and self.prompt is not None:
            raise InvalidInput("prompt", self.data.use, "beside data.use, which asks by itself", "leave it out")
        titles = [each.title for each in self.reward]
        twice = next((title for title in titles if titles.count(title) > 1), None)
        if twice is not None:
            raise InvalidInput("reward.name", twice, "which two rewards are called", "give each a name of its own")
        if len({each.file for each in self.reward if each.file}) > 1:
            raise InvalidInput("reward.python", titles[-1], "from a second file", "put all functions into one file")
        _check_start(self.start)
        return self

    @property
    def file(self) -> str:
        """The Python file beside the task, "" without one."""
        return next((each.file for each in self.reward if each.file), "")


def read_spec(folder: Path) -> TaskSpec:
    """The task in this folder. Raises NotFound and InvalidInput."""
    path = folder / FILE if folder.is_dir() else folder
    try:
        if path.stat().st_size > LARGEST:
            raise InvalidInput("task", str(path), "which is larger than a task file can be", "put rows beside it")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(
            "task", str(folder), f"where there is no {FILE}", "name a folder with one, or make one"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("task", str(path), f"which cannot be read ({error})", "mend the file") from None
    return parse_spec(text)


def parse_spec(text: str) -> TaskSpec:
    """Raises InvalidInput for what is no TOML and for what a task file cannot say."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput("task", FILE, f"which is not TOML ({error})", "mend that line") from None
    return make_spec(found)


def parse_options(text: str, reward: str) -> dict[str, Any]:
    """A reward's options, one KEY = VALUE a line. Raises InvalidInput naming the reward."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = f"whose options cannot be read ({error})"
        raise InvalidInput(
            "reward", reward, problem, 'write one KEY = VALUE a line, such as inside = "answer"'
        ) from None


def make_spec(values: Mapping[str, Any]) -> TaskSpec:
    """Raises InvalidInput naming the first field that is wrong."""
    try:
        return TaskSpec.model_validate(dict(values))
    except ValidationError as error:
        raise sentence(error, _model_at(error.errors()[0]["loc"]), FILE) from None


def write_spec(spec: TaskSpec) -> str:
    """The task file; reading it gives an equal spec."""
    return tomlkit.dumps(plain(spec))


def plain(spec: TaskSpec) -> dict[str, Any]:
    """What differs from what would be there anyway, in the order of the file."""
    found = spec.model_dump(mode="json", exclude_defaults=True)
    return {key: found[key] for key in [*TaskSpec.model_fields] if key in found}


def identity(spec: TaskSpec, code: bytes, data: str) -> str:
    """12 hex digits of all that decides what a task asks and how it scores: equal ones make equal runs.

    code  the Python file beside it; data  fingerprint of its rows. Where the rows lie does not count.
    """
    document = plain(spec)
    for part in ("data", "evaluation"):
        document[part] = {key: value for key, value in document.get(part, {}).items() if key not in ("source",)}
    text = json.dumps([document, hashlib.sha256(code).hexdigest(), data], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _check_start(start: Mapping[str, Any]) -> None:
    for key, value in start.items():
        if key in SIZES and isinstance(value, Mapping):
            _check_start({f"{name}": each for name, each in value.items() if name not in SIZES})
            continue
        field = ALIASES.get(key, key)
        if field not in RunConfig.model_fields or field in NOT_TO_START_WITH:
            allowed = ", ".join(sorted({*RunConfig.model_fields} - {*NOT_TO_START_WITH}))
            raise InvalidInput("start", key, "which is no setting of a run", f"use {allowed}")


def _model_at(place: tuple[int | str, ...]) -> type[BaseModel]:
    """The model that a finding's place lies in."""
    parts: Mapping[str, type[BaseModel]] = {
        "data": Data, "evaluation": Evaluation, "prompt": Prompt, "reward": RewardPart,
    }  # fmt: skip
    return parts.get(str(place[0]), TaskSpec) if len(place) > 1 else TaskSpec
