"""Options that are not on the command line: ``HARNESS_...`` in the environment, ``[tool.harness]`` in pyproject.toml.

One list of settings serves all commands: each takes those of its own options, and what is an option of no command is a
mistake that is named. A table named as a command (``[tool.harness.gate]``) is for that one, and goes over the list.
The command line goes over the environment, and that over the file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cyclopts import App, ArgumentCollection
from cyclopts.config import Dict, Env

from harness.words.errors import UsageError

PREFIX = "HARNESS_"
FILE = "pyproject.toml"
_NEARLY = 0.85
"""How alike two names must be for one to be the other misspelt: other programs have variables of our prefix, too."""


class _Variables(Env):
    """Options alone: the file of a replay comes from the command line."""

    def __call__(self, app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        options = ArgumentCollection([each for each in arguments if each.name.startswith("--")])  # type: ignore[no-untyped-call]
        super().__call__(app, commands, options)


def configure(app: App) -> None:
    """Let the commands of ``app`` take options from the environment and from the project's file."""

    def refuse_misspelt_variables(_app: App, _commands: tuple[str, ...], _arguments: ArgumentCollection) -> None:
        ours = sorted(variable for variable in os.environ if variable.startswith(PREFIX))
        # The options of all commands take half a second to be told.
        known = {PREFIX + name.replace("-", "_").upper() for name in option_names(app)} if ours else set()
        for variable in ours:
            if variable not in known and (close := get_close_matches(variable, known, 1, _NEARLY)):
                raise UsageError(
                    "unknown-setting", f"{variable} in the environment is no option", remedy=f"did you mean {close[0]}?"
                )

    def read_project_file(command: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        path = _nearest()
        if path is None:
            return
        settings, tables = _settings_and_tables(app, path)
        if settings:
            _refuse_unknown(settings, option_names(app), f"{path}: [tool.harness]")
        for name, table in tables.items():
            leaf = app[name].assemble_argument_collection()
            _refuse_unknown(table, frozenset(_names(leaf)), f"{path}: [tool.harness.{name}]")
        settings |= tables.get(" ".join(commands), {})
        own = {name: value for name, value in settings.items() if name in _names(arguments)}
        Dict(own, source=f"{path}: [tool.harness]", use_commands_as_keys=False)(command, commands, arguments)

    app.config = (refuse_misspelt_variables, _Variables(PREFIX, command=False), read_project_file)


def _settings_and_tables(app: App, path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The settings of all commands, and those of single ones by their names."""
    settings: dict[str, Any] = {}
    tables: dict[str, dict[str, Any]] = {}
    for name, value in _settings(path).items():
        if isinstance(value, dict) and name in app and app[name].default_command is not None:
            tables[name] = _dashed(value)
        else:
            settings |= _dashed({name: value})
    return settings, tables


def _dashed(settings: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in settings.items()}


def _refuse_unknown(settings: Collection[str], known: frozenset[str], where: str) -> None:
    for name in settings:
        if name not in known:
            close = get_close_matches(name, known, 1)
            raise UsageError(
                "unknown-setting",
                f"{where} has {name!r}, which is no option",
                expected=f"some of {', '.join(sorted(known))}",
                remedy=f"did you mean {close[0]!r}?" if close else "",
            )


def option_names(app: App) -> frozenset[str]:
    """The options of all commands, without their dashes; flags under the name that turns them on."""
    leaves = [command for command in _commands(app) if command.default_command is not None]
    return frozenset(name for leaf in leaves for name in _names(leaf.assemble_argument_collection()))


def _commands(app: App) -> Iterator[App]:
    for name in app:
        if not name.startswith("-"):
            yield app[name]
            yield from _commands(app[name])


def _names(arguments: ArgumentCollection) -> set[str]:
    return {argument.name.removeprefix("--") for argument in arguments if argument.name.startswith("--")}


def _nearest() -> Path | None:
    """The project's file of this directory or of the next one above it that has one."""
    here = Path.cwd()
    return next((path for parent in (here, *here.parents) if (path := parent / FILE).is_file()), None)


def _settings(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError("bad-settings", f"{path} cannot be read: {error}", expected="a file in TOML") from error
    for table in ("tool", "harness"):
        document = document.get(table, {})
        if not isinstance(document, dict):
            raise UsageError("bad-settings", f"{path}: {table} is {document!r:.40}", expected="a table [tool.harness]")
    return document
