"""Options from pyproject.toml and from HARNESS_ variables: what goes over what, and what is a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from cyclopts import App

from harness import cli, doors
from harness.cli import main
from harness.configuration import configure, option_names


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pyproject.toml of the current directory, which is still to be written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_DSN", raising=False)
    return tmp_path / "pyproject.toml"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What the commands were asked for, instead of doing it."""
    said: dict[str, object] = {}

    def note(**options: object) -> int:
        said.update(options)
        return 0

    monkeypatch.setattr(doors, "verify", note)
    monkeypatch.setattr(doors, "explore", note)
    return said


def settings(project: Path, text: str) -> None:
    project.write_text(f"[project]\nname = 'x'\n[tool.harness]\n{text}\n")


def test_the_file_gives_what_the_command_line_does_not(project: Path, asked: dict[str, object]) -> None:
    settings(project, "subject = 'published'\nmax-schedules = 7\nseed = 3\nstrict = true\nscenario = ['a', 'b']")
    assert main(["verify", "--seed", "5"]) == 0
    assert asked["subject_name"] == "published"
    assert (asked["max_schedules"], asked["budget_s"], asked["seed"]) == (7, None, 5)
    assert (asked["strict"], asked["scenario_names"]) == (True, ["a", "b"])


def test_underscores_do_as_well_and_flags_can_be_taken_back(project: Path, asked: dict[str, object]) -> None:
    settings(project, "max_schedules = 7\nstrict = true")
    assert main(["verify", "--no-strict"]) == 0
    assert (asked["max_schedules"], asked["strict"]) == (7, False)


def test_the_environment_goes_over_the_file_and_under_the_command_line(
    project: Path, asked: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(project, "seed = 1\nsubject = 'published'\nworkers = 1")
    monkeypatch.setenv("HARNESS_SEED", "2")
    monkeypatch.setenv("HARNESS_SUBJECT", "before")
    monkeypatch.setenv("HARNESS_DSN", "host=here")
    assert main(["verify", "--subject", "reference"]) == 0
    assert (asked["seed"], asked["subject_name"], asked["workers"]) == (2, "reference", 1)
    assert asked["database"] == "host=here"


def test_each_command_takes_what_is_its_own(
    project: Path, asked: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    settings(
        project, "budget = '6s'\nstrict = true\nscenario = ['a']\npreemptions = 1\nport = 5000\nsubject = 'before'"
    )
    assert main(["explore", "two-buyers-one-lead"]) == 0
    assert (asked["scenario_name"], asked["preemptions"], asked["subject_name"]) == ("two-buyers-one-lead", 1, "before")
    assert main(["scenarios"]) == 0
    assert "not on before" in capsys.readouterr().out


def test_a_table_of_a_command_is_for_that_one_and_goes_over_the_list(project: Path, asked: dict[str, object]) -> None:
    settings(project, "seed = 3\nsubject = 'published'\n[tool.harness.verify]\nseed = 4\nmax_schedules = 9")
    assert main(["verify"]) == 0
    assert (asked["seed"], asked["subject_name"], asked["max_schedules"]) == (4, "published", 9)
    assert main(["explore", "two-buyers-one-lead"]) == 0
    assert (asked["seed"], asked["subject_name"], asked["most"]) == (3, "published", None)


def test_what_is_no_option_is_asked_on_the_command_line(
    project: Path, asked: dict[str, object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not project.exists()
    monkeypatch.setenv("HARNESS_SCENARIO", "two-buyers-one-lead")
    assert main(["explore"]) == main(["replay"]) == 2
    assert capsys.readouterr().err.count("requires an argument") == 2
    assert main(["verify"]) == 0
    assert asked["scenario_names"] == ["two-buyers-one-lead"]
    monkeypatch.setenv("HARNESS_FILE", "x.json")
    assert main(["replay"]) == 2
    assert "HARNESS_FILE in the environment is no option" in capsys.readouterr().err


def test_the_file_of_a_directory_above_counts(
    project: Path, asked: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(project, "seed = 9")
    below = project.parent / "sql" / "mine"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert main(["verify"]) == 0
    assert asked["seed"] == 9


WRONG = {
    "budgte = '6s'": "pyproject.toml: [tool.harness] has 'budgte', which is no option; expected some of annotate,",
    "verify = {users = 3}": "[tool.harness.verify] has 'users', which is no option; expected some of budget,",
    "db = {port = 3}": "[tool.harness] has 'db', which is no option",
    "file = 'x.json'": "[tool.harness] has 'file', which is no option",
    "seed = 'x'": "Invalid value for [seed]: 'x' is no whole number (",
    "seed = 1.5": "pyproject.toml: [tool.harness])",
    "max-schedules = 0": "Must be >= 1",
    "budget = 'soon'": "--budget 'soon' is no duration",
    "budget = '6s'\nmax-schedules = 5": "--budget and --max-schedules exclude each other",
    "isolation = 'dirty'": 'Choose from: "read committed"',
    "subject = ": "pyproject.toml cannot be read: Invalid value (at line 4",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_in_the_file_is_named(project: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings(project, text)
    assert main(["verify"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert WRONG[text] in line


@pytest.mark.parametrize("text", ["tool = 1", "[tool]\nharness = 'x'", "[[tool.harness]]\nseed = 1"])
def test_something_else_in_its_place_is_a_mistake(project: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    project.write_text(text)
    assert main(["verify"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected a table [tool.harness] [bad-settings]" in line


def test_a_misspelt_variable_is_named_and_a_stranger_is_not(
    project: Path, asked: dict[str, object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not project.exists()
    monkeypatch.setenv("HARNESS_BUILD_ID", "17")
    assert main(["verify", "--seed", "4"]) == 0
    assert asked["seed"] == 4
    monkeypatch.setenv("HARNESS_MAX_SCHEDULE", "17")
    assert main(["verify"]) == 2
    assert capsys.readouterr().err == (
        "harness: HARNESS_MAX_SCHEDULE in the environment is no option; "
        "did you mean HARNESS_MAX_SCHEDULES? [unknown-setting]\n"
    )


def test_options_are_those_of_all_commands() -> None:
    assert option_names(cli.app) >= {"budget", "max", "step", "port", "dsn", "max-schedules"}
    inner, outer = App(name="inner"), App(name="outer")

    @inner.command
    def leaf(*, deep_option: int = 0) -> None:
        del deep_option

    outer.command(inner)
    configure(outer)
    assert option_names(outer) == {"deep-option"}
