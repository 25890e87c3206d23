"""docs/command-line.md has every command with every option, an example of each, and nothing else."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App, ArgumentCollection

from harness.cli import app
from harness.configuration import option_names

PAGE = (Path(__file__).parents[1] / "docs" / "command-line.md").read_text()
ALONE = (
    "verify",
    "explore",
    "faults",
    "model",
    "gate",
    "smoke",
    "replay",
    "export",
    "scenarios",
    "monitor",
    "serve",
    "load",
    "compare",
    "report",
)
GROUPED = ("db start", "db stop", "db status", "db psql")
COMMANDS = (*ALONE, *GROUPED)


def command(name: str) -> App:
    found = app
    for word in name.split():
        found = found[word]
    return found


def options_of(arguments: ArgumentCollection) -> set[str]:
    return {argument.name for argument in arguments if argument.name.startswith("--")}


def section(name: str) -> str:
    """The part of the page about a command."""
    (found,) = re.findall(rf"^## harness {name.split()[0]}\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_every_command_has_its_part() -> None:
    leaves = {name for name in app if not name.startswith("-") and app[name].default_command is not None}
    groups = {f"db {name}" for name in app["db"] if not name.startswith("-")}
    assert leaves | groups == set(COMMANDS)
    for name in COMMANDS:
        assert f"harness {name}" in section(name)


@pytest.mark.parametrize("names", [[name] for name in ALONE] + [list(GROUPED)], ids=lambda names: names[0])
def test_the_options_are_those_of_the_command(names: list[str]) -> None:
    real = {option for name in names for option in options_of(command(name).assemble_argument_collection())}
    rows = re.findall(r"^\| ((?:`--[a-z-]+`(?:, )?)+) \| (.+) \|$", section(names[0]), re.MULTILINE)
    assert all(meaning for _, meaning in rows)
    assert sorted(option for cell, _ in rows for option in re.findall(r"--[a-z-]+", cell)) == sorted(real)


def examples() -> Iterator[str]:
    for line in re.findall(r"^    (?:HARNESS_\S+ )*(harness .*)$", PAGE, re.MULTILINE):
        if not re.search(r"[\[|]", line):
            yield line


@pytest.mark.parametrize("line", sorted(set(examples())))
def test_the_examples_are_understood(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    assert app.parse_args(words, exit_on_error=False, print_error=False)


def test_every_command_has_an_example() -> None:
    shown = {" ".join(line.split()[1 : 3 if line.startswith("harness db") else 2]) for line in examples()}
    assert shown >= set(COMMANDS)


def test_the_defaults_are_as_the_page_says() -> None:
    said = re.findall(r"^\| `(--[a-z-]+)` \| .*?`\"?([^`\"]+)\"?` \(if left out", PAGE, re.MULTILINE)
    assert {option for option, _ in said} >= {"--subject", "--isolation", "--strategy"}
    for option, value in said:
        defaults = {
            str(argument.field_info.default)
            for name in COMMANDS
            for argument in command(name).assemble_argument_collection()
            if argument.name == option and argument.field_info.default is not None
        }
        assert defaults <= {value}, option


def test_the_settings_are_options() -> None:
    general, gate = (
        tomllib.loads(text)["tool"]["harness"] for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    )
    assert set(general) <= option_names(app)
    assert {f"--{name}" for name in gate["gate"]} <= options_of(command("gate").assemble_argument_collection())
