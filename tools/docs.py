"""Writes docs/configuration.md, docs/cli.md and docs/task-file.md from the code that they describe.

python tools/docs.py [--check] [--folder FOLDER]     --check: writes nothing, ends with 1 when one is not as it was made
"""

import argparse
import inspect
import json
import sys
from pathlib import Path
from typing import Any, get_type_hints

import typer

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from core.cli.main import app  # noqa: E402
from core.config.run_config import ALIASES, ENGINE_RANKS, RunConfig  # noqa: E402
from core.settings import VARIABLES  # noqa: E402
from core.tasks.own.spec import Data, Evaluation, Prompt, RewardPart, TaskSpec  # noqa: E402
from core.tasks.rewards.library import LIBRARY, OUTSIDE  # noqa: E402

MADE = "<!-- Made by tools/docs.py from the code; change it there. -->"
CONFIGURATION = """\
# Settings

{made}

## Of a run

The fields of a run's settings. Give them on the page Launch, on the command line as `--set FIELD=VALUE`, or to
`grouper.launch` by name. A recipe has starting values of its own for many of them; the defaults here stand where it
has none. On the command line a value is written as JSON; text that is not JSON stays text.

Where the vLLM engine samples, `rank` and `max_lora_rank` are one of
{ranks}.

{fields}

`generation_batch_size`, TRL's name for completions in a step, is accepted in place of `prompts_per_step`: it is
`prompts_per_step` times `group_size`.

## Of the environment

Variables that Grouper reads. A worker inherits them from the process that starts it.

{variables}
"""
TASK_FILE = """\
# The task file

{made}

`task.toml` says what is trained on; [tasks.md](tasks.md) shows how to write one. A text over columns has `{{column}}`
for a column's value and `{{{{` for a brace.
"""
PARTS = ("data", "evaluation", "prompt", "reward")  # of the file: each has a table of its own
REWARDS = """\
What `use` can name in `[[reward]]`. Each option is a key of the same table. More is better in all of them, and a reward
that does not apply to a row gives no score, which counts as none."""
KINDS = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false"}
WORDS = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}


def configuration() -> str:
    properties = RunConfig.model_json_schema()["properties"]
    fields = table(("field", "value", "default", "meaning", "also accepted as"), map(field_cells, properties.items()))
    rows = ((f"`{name}`", *said) for name, said in VARIABLES.items())
    variables = table(("variable", "where it is not set", "meaning"), rows)
    return CONFIGURATION.format(made=MADE, ranks=some(ENGINE_RANKS), fields=fields, variables=variables)


def field_cells(item: tuple[str, dict[str, Any]]) -> tuple[str, ...]:
    name, schema = item
    field = RunConfig.model_fields[name]
    if field.is_required():
        default = "must be given"
    else:
        value = field.get_default(call_default_factory=True)
        default = "empty" if value is None or value in ("", {}) else written(value)
    others = ", ".join(f"`{alias}`" for alias, own in ALIASES.items() if own == name)
    return f"`{name}`", value_words(schema), default, field.description or "", others


def value_words(schema: dict[str, Any]) -> str:
    """What a field takes, from its JSON schema: "integer, 1 to 512"."""
    if "anyOf" in schema:
        kinds = [part for part in schema["anyOf"] if part["type"] != "null"]
        return "; or ".join([*map(value_words, kinds), "empty"])
    if "enum" in schema:
        return f"one of {some(schema['enum'])}"
    if schema["type"] == "array":
        return f"list of {schema['minItems']} to {schema['maxItems']} texts"
    if schema["type"] == "object":
        return f"at most {schema['maxProperties']} names with a number each"
    bounds = bound_words(schema)
    if "pattern" in schema:
        bounds = f"matching `{schema['pattern']}`".replace("|", "\\|")
    return ", ".join(part for part in (KINDS[schema["type"]], bounds) if part)


def bound_words(schema: dict[str, Any]) -> str:
    low, above, high = (schema.get(name) for name in ("minimum", "exclusiveMinimum", "maximum"))
    if "maxLength" in schema:
        return f"at most {schema['maxLength']} characters"
    if above is not None:
        return f"above {number(above)}, at most {number(high)}"
    return f"{number(low)} to {number(high)}" if low is not None else ""


def cli() -> str:
    group = typer.main.get_command(app)
    lines = ["# The command line", "", MADE, "", inspect.cleandoc(str(group.help)), ""]
    lines += ["Every command takes `--help`. Errors are one line on stderr that says what to do.", ""]
    for words, command in commands(group, ("grouper",)):
        lines += [f"## {' '.join(words)}", "", str(command.help), "", *command_lines(words, command), ""]
    return "\n".join(lines).rstrip() + "\n"


def commands(group: Any, words: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    """Every command with the words it is called by, in the order in which they are listed."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, command in group.commands.items():
        deeper = hasattr(command, "commands")
        found += commands(command, (*words, name)) if deeper else [((*words, name), command)]
    return sorted(found, key=lambda item: len(item[0]))


def command_lines(words: tuple[str, ...], command: Any) -> list[str]:
    hints = get_type_hints(inspect.unwrap(command.callback))
    arguments = [parameter for parameter in command.params if not is_option(parameter)]
    options = [parameter for parameter in command.params if is_option(parameter)]
    usage = [*words, *(name_of(argument) for argument in arguments), *(["[OPTIONS]"] if options else [])]
    lines = ["```text", " ".join(usage), "```"]
    if command.params:
        rows = (parameter_cells(parameter, hints[parameter.name]) for parameter in [*arguments, *options])
        lines += ["", table(("argument or option", "default", "meaning"), rows)]
    return lines


def is_option(parameter: Any) -> bool:
    return bool(parameter.opts[0].startswith("--"))


def name_of(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def parameter_cells(parameter: Any, kind: Any) -> tuple[str, str, str]:
    if not is_option(parameter):
        return f"`{name_of(parameter)}`", "must be given", parameter.help
    shown = parameter.opts[0]
    if not parameter.is_flag:
        shown += f" {parameter.metavar or option_word(kind)}"
    default = "must be given" if parameter.required else ""
    if not parameter.is_flag and parameter.default not in (None, "", []):
        default = written(parameter.default)
    sentences = [parameter.help]
    if parameter.max is not None:
        sentences.append(f"Takes {parameter.min} to {parameter.max}.")
    elif parameter.min is not None:
        sentences.append(f"Takes {parameter.min} or more.")
    if parameter.multiple:
        sentences.append("May be given again.")
    return f"`{shown}`", default, " ".join(sentences)


def option_word(kind: Any) -> str:
    """The word for what an option takes; `int | None` takes an integer."""
    parts = [part for part in getattr(kind, "__args__", (kind,)) if part is not type(None)]
    return WORDS[parts[0]]


def table(head: tuple[str, ...], rows: Any) -> str:
    cells = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells).replace("|  |", "| |").replace("|---|", "| --- |")


def written(value: Any) -> str:
    """A value as somebody would write it: JSON, texts without quotes."""
    if isinstance(value, str):
        return f"`{value}`"
    return f"`{json.dumps(value)}`" if not isinstance(value, float) else f"`{number(value)}`"


def number(value: float) -> str:
    return f"{value:.12g}" if not isinstance(value, int) else str(value)


def some(values: Any) -> str:
    return ", ".join(f"`{value}`" for value in values)


def task_file() -> str:
    parts = [("", TaskSpec), ("[data]", Data), ("[evaluation]", Evaluation), ("[prompt]", Prompt)]
    parts.append(("[[reward]]", RewardPart))
    lines = [TASK_FILE.format(made=MADE)]
    for heading, kind in parts:
        rows = [option_cells(name, field) for name, field in kind.model_fields.items() if name not in PARTS]
        lines += [
            f"### `{heading}`" if heading else "### At the top",
            "",
            table(("key", "default", "meaning"), rows),
            "",
        ]
    lines += ["## Rewards", "", REWARDS, ""]
    for name, made in {**LIBRARY, **OUTSIDE}.items():
        lines += reward_lines(name, made)
    return "\n".join(lines).rstrip() + "\n"


def reward_lines(name: str, made: Any) -> list[str]:
    span = f"{number(made.lowest)} to {number(made.highest)}"
    lines = [f"### `{name}`", "", f"{made.about} {span}. Source: {made.source}.", ""]
    rows = [option_cells(option, field) for option, field in made.model_fields.items()]
    return [*lines, table(("option", "default", "meaning"), rows), ""] if rows else lines


def option_cells(name: str, field: Any) -> tuple[str, str, str]:
    if field.is_required():
        default = "must be given"
    else:
        value = field.get_default(call_default_factory=True)
        default = "empty" if value is None or value in ("", {}, ()) else written(plain(value))
    return f"`{name}`", default, (field.description or "").replace("|", "\\|")


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


DOCUMENTS = {"configuration.md": configuration, "cli.md": cli, "task-file.md": task_file}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder", type=Path, default=ROOT / "docs")
    arguments = parser.parse_args()
    made = {arguments.folder / name: make() for name, make in DOCUMENTS.items()}
    other = [path for path, text in made.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if arguments.check and other:
        names = " and ".join(f"docs/{path.name}" for path in other)
        print(f"{names} differ from the code: run `python tools/docs.py` and commit what it writes.", file=sys.stderr)
        return 1
    for path in other:
        path.write_text(made[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
