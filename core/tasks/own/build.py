"""From what a task file says to the Task that is trained."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from core.config.run_config import ALIASES
from core.errors import InvalidInput, NotFound
from core.tasks.data import BadRow, DataSource, Row, Table, open_table
from core.tasks.data.order import Order, Split, sample_indices
from core.tasks.data.rules import Rules, Wanted, checked_row, next_row, refuse_unusable
from core.tasks.generator import Generator
from core.tasks.gym import PREFIX as GYM
from core.tasks.gym import gym_generator
from core.tasks.own.asking import Asking
from core.tasks.own.rewards import make_reward, own_function
from core.tasks.own.spec import SIZES, Data, TaskSpec
from core.tasks.rewards.library import library_reward
from core.tasks.task import Example, Reward, Task

HELD_OUT_KEY = "evaluation"  # the same rows for every run and seed
ANYTHING = ("text", "number", "boolean", "list", "object", "messages")


@dataclass(frozen=True)
class OwnTask:
    """A task file with the rows that it names.

    folder      what relative paths start from
    cache       folder for indexes of the data; may be deleted at any time
    """

    spec: TaskSpec
    folder: Path
    cache: Path

    @cached_property
    def table(self) -> Table:
        """The rows to train on. Raises InvalidInput for data that is not there or cannot be read."""
        data = self.spec.data
        split = data.split if data.source.startswith("hub:") else ""
        source = DataSource(data.source, data.config, split, data.revision)
        return open_table(source, base=self.folder, cache=self.cache)

    @cached_property
    def evaluation_table(self) -> Table | None:
        """The rows to evaluate on; None where they are held out of the others."""
        asked, data = self.spec.evaluation, self.spec.data
        if not asked.source and not asked.split:
            return None
        if asked.source:
            source = DataSource(asked.source, split=asked.split)
        else:
            source = DataSource(data.source, data.config, asked.split, self.table.source.revision)
        return open_table(source, base=self.folder, cache=self.cache)

    @cached_property
    def asking(self) -> Asking:
        """What is made of a row. Raises InvalidInput for a prompt that the data does not fit."""
        assert self.spec.prompt
        return Asking(self.spec.prompt, tuple(column.name for column in self.table.columns))

    @cached_property
    def rules(self) -> Rules:
        """What a row needs to be used. Raises InvalidInput for columns of images and the like."""
        needed = dict.fromkeys([*self.asking.columns, *self._columns_of_rewards()])
        wanted = tuple(Wanted(name, ("messages",) if self.asking.is_chat(name) else ANYTHING) for name in needed)
        rules = Rules(wanted, prompt=self.asking.key)
        refuse_unusable(self.table, rules)
        return rules

    @cached_property
    def split(self) -> Split:
        """Which rows are held out: as many as asked for, and never more than half. Reads the whole data once."""
        asked = 0 if self.evaluation_table else self.spec.evaluation.rows
        rows = len(self.table)
        return Split(rows, min(asked, rows // 2), HELD_OUT_KEY)

    @cached_property
    def shown(self) -> Mapping[int, Row]:
        """Row number -> row shown with its answer before each question. These are never asked."""
        wanted = self.spec.prompt.shots if self.spec.prompt else 0
        found: dict[int, Row] = {}
        for place in sample_indices(self.split.training_rows, 4 * wanted, "shown"):
            index = self.split.training_row(place)
            try:
                found[index] = checked_row(self.table, index, self.rules)
            except BadRow:
                continue
            if len(found) == wanted:
                break
        if len(found) < wanted or (wanted and len(found) == self.split.training_rows):
            problem = f"and there are {self.split.training_rows} rows to train on"
            raise InvalidInput("prompt.shots", wanted, problem, "show fewer rows, or add some")
        return found

    def example(self, row: Row) -> Example:
        """What is asked of a row. Raises KeyError for a column that it lacks."""
        return Example(self.asking.messages(row, [*self.shown.values()]), row)

    def generate(self, source: str, seed: int) -> Iterator[Example]:
        """Every row but those held out and shown, again and again, in an order that the seed decides.

        Raises InvalidInput where no row can be used, BadRow where bad rows are to stop the run.
        """
        if source:
            raise InvalidInput("dataset", source, f"but task {self.spec.name} brings its rows", "leave it empty")
        order, position = Order(self.split, seed), 0
        while True:
            place, index, row = next_row(self.table, order, position, self.rules, self.spec.data.bad_rows)
            position = place + 1
            if index not in self.shown:
                yield self.example(row)

    def held_out(self) -> Iterator[Example]:
        """The rows to evaluate on, once each; those that cannot be used are passed over."""
        table = self.evaluation_table or self.table
        for index in range(len(table)) if self.evaluation_table else self.split.evaluation_rows():
            try:
                yield self.example(checked_row(table, index, self.rules))
            except BadRow:
                continue

    def rewards(self) -> tuple[Reward, ...]:
        """Raises InvalidInput for an option, a column or a function that is not there."""
        return tuple(make_reward(part, self.folder, self.asking.available) for part in self.spec.reward)

    def task(self, name: str = "") -> Task:
        """The task, under the name of its saved version where there is one.

        Opens the data and looks at its first rows; the whole is read when the first example is asked for. Raises
        InvalidInput for parts that do not fit together.
        """
        rewards = self.rewards()
        assert self.rules  # says now what does not fit
        keeps = bool(self.evaluation_table or self.spec.evaluation.rows)
        held_out = self.held_out if keeps else None
        return _named(self.spec, name, rewards, Generator(self.generate, self.asking.gold), held_out)

    def _columns_of_rewards(self) -> list[str]:
        found: list[str] = []
        for part in self.spec.reward:
            if part.use:
                found += library_reward(part.use, part.options).columns
            else:
                found += own_function(self.folder / part.file, part.function).reads(self.asking.available)
        return found


def generated_task(spec: TaskSpec, folder: Path, generators: Mapping[str, Generator], name: str = "") -> Task:
    """The task whose examples a function makes.

    Raises NotFound for a function that is not known, InvalidInput for settings that it does not take.
    """
    rewards = tuple(make_reward(part, folder, None) for part in spec.reward)
    return _named(spec, name, rewards, _generator(spec.data, generators), None)


def _generator(data: Data, generators: Mapping[str, Generator]) -> Generator:
    if data.use.startswith(GYM):
        return gym_generator(data.use, data.settings, data.shots)
    if data.use not in generators:
        known = ", ".join([*generators, f"{GYM}FAMILY"])
        raise NotFound("data.use", data.use, "which makes no examples here", f"choose one of {known}")
    for name in ("settings", "shots"):
        if name in data.model_fields_set:
            value = getattr(data, name)
            raise InvalidInput(f"data.{name}", value, f"which {data.use} does not take", "leave it out")
    return generators[data.use]


def _named(
    spec: TaskSpec,
    name: str,
    rewards: tuple[Reward, ...],
    generator: Generator,
    held_out: Callable[[], Iterator[Example]] | None,
) -> Task:
    start = {ALIASES.get(key, key): value for key, value in spec.start.items() if key not in SIZES}
    sizes: dict[str, Mapping[str, Any]] = {key: value for key, value in spec.start.items() if key in SIZES}
    return Task(
        name=name or spec.name,
        title=spec.title or spec.name,
        description=spec.description,
        rewards=rewards,
        generate=generator.generate,
        gold=generator.gold,
        values=start,
        by_size={size: values for size, values in sizes.items() if size != "builtin"},
        for_builtin=sizes.get("builtin", {}),
        needs_dataset=generator.needs_dataset,
        held_out=held_out,
    )
