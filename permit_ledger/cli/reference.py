"""README's tables of settings and commands, made from the code.

``python -m permit_ledger.cli.reference README.md`` (``./dev docs``) writes them between their
markers; a test compares the file with the code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from permit_ledger.settings import Settings

COMMON_OPTIONS = {"--help", "--data-dir", "--database-url"}
"""Stated once in the README, not with every command."""


def settings_table() -> str:
    """The settings as a Markdown table: environment variable, default, meaning."""
    prefix = Settings.model_config["env_prefix"]
    rows = [
        [f"`{prefix}{name.upper()}`", _default(field.default), field.description or ""]
        for name, field in Settings.model_fields.items()
    ]
    return _table(["variable", "default", "meaning"], rows)


def commands_table() -> str:
    """The commands of ``permit-ledger`` as a Markdown table: usage, description, options."""
    rows = [
        [
            f"`{' '.join([*path, *_arguments(command)])}`",
            _help(command),
            ", ".join(_options(command)),
        ]
        for path, command in _commands(get_command(_app()), ["permit-ledger"])
    ]
    return _table(["command", "does", "options"], rows)


TABLES: dict[str, Callable[[], str]] = {"settings": settings_table, "commands": commands_table}
"""By the name of the marker that stands around each one."""


def with_tables(text: str) -> str:
    """Replace what stands between the markers ``<!-- name -->`` and ``<!-- /name -->``.

    Raises:
        ValueError: A table does not have exactly one pair of markers.
    """
    for name, table in TABLES.items():
        opening, closing = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if (text.count(opening), text.count(closing)) != (1, 1):
            raise ValueError(f"there must be one pair of markers <!-- {name} --> {closing}")
        before, _, rest = text.partition(opening)
        _, _, after = rest.partition(closing)
        text = f"{before}{opening}\n{table()}\n\n{closing}{after}"
    return text


def main(file: Annotated[Path, typer.Argument(help="The document with the tables.")]) -> None:
    """Write the tables of settings and commands into a document."""
    file.write_text(with_tables(file.read_text("utf-8")), "utf-8")


def _app() -> typer.Typer:
    from .app import app  # noqa: PLC0415  the tables of settings need none of it

    return app


def _commands(command: Any, path: list[str]) -> Iterator[tuple[list[str], Any]]:
    if not isinstance(command, TyperGroup):
        yield path, command
        return
    for name, child in command.commands.items():
        yield from _commands(child, [*path, name])


def _arguments(command: TyperCommand) -> list[str]:
    return [_value(each) for each in command.params if isinstance(each, TyperArgument)]


def _options(command: TyperCommand) -> list[str]:
    """Name and value of each option, common ones left out."""
    found = []
    for option in command.params:
        name = option.opts[0]
        if isinstance(option, TyperOption) and name not in COMMON_OPTIONS:
            found.append(f"`{name}`" if option.is_flag else f"`{name} {_value(option)}`")
    return found


def _value(parameter: TyperArgument | TyperOption) -> str:
    """What stands for the value: its placeholder, its choices, or the parameter's name."""
    annotation = parameter.type_descriptor.annotation
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        shown = "|".join(each.value for each in annotation)
    else:
        shown = (parameter.metavar or parameter.name or "").upper()
    is_optional = isinstance(parameter, TyperArgument) and not parameter.required
    return f"[{shown}]" if is_optional else shown


def _help(command: TyperCommand) -> str:
    """The whole help text as one paragraph; documents that it names become links."""
    text = " ".join((command.help or "").split())
    text = re.sub(r"(?<![`\w])(--[a-z][a-z-]*(?: kafka)?)", r"`\1`", text)
    return re.sub(r"\bdocs/[\w-]+\.md\b", r"[\g<0>](\g<0>)", text)


def _default(value: object) -> str:
    if value is None:
        return "–"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines
    )


if __name__ == "__main__":
    typer.run(main)
