"""The action, the workflow and the hook are what their readers take, and every command in them is one of ours."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from harness.cli import app

ROOT = Path(__file__).parents[1]
ACTION = ROOT / "action.yml"
WORKFLOW = ROOT / ".github" / "workflows" / "gate.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
PAGE = ROOT / "docs" / "ci.md"

VALUES = {
    "github.run_id": "17",
    "github.event_name": "pull_request",
    "github.action_path": "there",
    "inputs.subject": "./sql/with space",
    "inputs.budget": "2m",
    "inputs.base": "",
    "inputs.shard": "2/3",
    "inputs.without": "load compare",
    "inputs.tests": "python -m pytest -q",
    "inputs.database": "embedded-17",
    "inputs.reports": "reports",
    "matrix.database": "embedded",
    "matrix.shard": "3",
}
"""What expressions stand for."""


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def filled(text: str, **values: str) -> str:
    """``values`` of the matrix, where they are not those of ``VALUES``."""
    known = {**VALUES, **{f"matrix.{name}": value for name, value in values.items()}}
    return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: known[found[1]], str(text))


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for step in load(ACTION)["runs"]["steps"]:
        yield "action", step
    for name, job in load(WORKFLOW)["jobs"].items():
        for step in job["steps"]:
            yield name, step


def commands(script: str, environment: dict[str, str], directory: Path) -> list[list[str]]:
    """The words that a script calls ``harness`` with, in a shell in which it does nothing but note them."""
    programs = directory / "bin"
    programs.mkdir(exist_ok=True)
    for name, does in {"harness": 'printf "%s\\0" "$@" >> called; echo >> called', "python": ":"}.items():
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o755)
    (directory / "summary.md").write_text("a report\n")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=directory,
        env={"PATH": f"{programs}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": "step.md", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    called = directory / "called"
    lines = called.read_text().splitlines() if called.exists() else []
    return [line.split("\0")[:-1] for line in lines]


def understood(words: list[str]) -> None:
    app.parse_args(words, exit_on_error=False, print_error=False)


def test_every_command_is_understood(tmp_path: Path) -> None:
    called = []
    for number, (_, step) in enumerate(steps()):
        if "run" in step:
            directory = tmp_path / str(number)
            directory.mkdir()
            (directory / "shards" / "one").mkdir(parents=True)
            (directory / "shards" / "one" / "gate.json").touch()
            (directory / "reports").mkdir()
            for name in ("merged.json", "reports/model.json"):
                (directory / name).touch()
            environment = {name: filled(value) for name, value in step.get("env", {}).items()}
            script = filled(step["run"])
            called += commands(script, {"GITHUB_BASE_REF": "main", "GITHUB_RUN_NUMBER": "5", **environment}, directory)
    for words in called:
        understood(words)
    assert {words[0] for words in called} == {"gate", "report", "model"}
    assert [words[1] for words in called if words[0] == "report"][1:] == [*["merged.json"] * 2, "reports/model.json"]
    assert called[0] == [
        *("gate", "--json", "reports/gate.json", "--subject", "./sql/with space", "--budget", "2m"),
        *("--database", "embedded-17", "--base", "origin/main", "--shard", "2/3"),
        *("--tests", "python -m pytest -q", "--without", "load", "--without", "compare"),
    ]


def test_what_the_inputs_leave_out_is_for_pyproject_to_say(tmp_path: Path) -> None:
    action = load(ACTION)
    (gate,) = [step["run"] for step in action["runs"]["steps"] if "harness gate" in step.get("run", "")]
    empty = dict.fromkeys(("SUBJECT", "BUDGET", "BASE", "SHARD", "WITHOUT", "TESTS", "DATABASE"), "")
    assert commands(gate, {"GITHUB_BASE_REF": "", **empty}, tmp_path) == [["gate", "--json", "reports/gate.json"]]
    left_out = {name: entry["default"] for name, entry in action["inputs"].items() if name != "reports"}
    assert not any(left_out.values()), left_out


def test_the_subject_is_one_that_git_knows_where_the_harness_is_installed() -> None:
    """The bundled one of that name is in no repository then, and nothing could be compared."""
    called = re.findall(r"harness (?:gate|model) --subject (\S+)", WORKFLOW.read_text())
    asked = [step["with"]["subject"] for _, step in steps() if step.get("uses") == "./"]
    assert len(called) == 2
    for name in [*asked, *called]:
        assert name.startswith("./")
        assert (ROOT / name / "subject.toml").is_file()


@pytest.mark.parametrize(("ends", "there"), [(0, True), (1, True), (2, False)])
def test_the_merged_job_ends_as_the_merge_did(tmp_path: Path, ends: int, there: bool) -> None:
    """Also where a shard left nothing to merge: then there is nothing more to show."""
    (script,) = [step["run"] for job, step in steps() if job == "merged" and "--merge" in step.get("run", "")]
    does = f'case "$2" in --merge) {"touch merged.json;" * there} exit {ends};; *) echo shown;; esac'
    (tmp_path / "harness").write_text(f"#!/bin/sh\n{does}\n")
    (tmp_path / "harness").chmod(0o755)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-c", script],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": "step.md"},
        check=False,
    )
    assert done.returncode == ends
    assert (tmp_path / "step.md").exists() is there


def test_nothing_from_outside_is_put_into_a_script() -> None:
    """Whoever opens a pull request names its branch: an expression in a script would run what stands there."""
    for _, step in steps():
        assert "${{" not in step.get("run", ""), step


def test_the_action_is_one() -> None:
    action = load(ACTION)
    assert action["name"]
    assert action["runs"]["using"] == "composite"
    asked = set(re.findall(r"inputs\.([\w-]+)", ACTION.read_text()))
    assert asked == set(action["inputs"])
    for name, entry in action["inputs"].items():
        assert entry["description"], name
        assert isinstance(entry["default"], str), name
    for step in action["runs"]["steps"]:
        assert ("run" in step) is ("shell" in step), step


def test_the_workflow_uses_the_action_as_it_is() -> None:
    workflow = load(WORKFLOW)
    assert set(workflow[True]) == {"pull_request", "schedule", "workflow_dispatch"}  # YAML 1.1 reads on as true
    assert workflow["permissions"] == {"contents": "read"}
    inputs = set(load(ACTION)["inputs"])
    jobs = workflow["jobs"]
    for job in jobs.values():
        assert job["timeout-minutes"]
        assert set(job.get("needs", "").split()) <= set(jobs)
    uses = [step for _, step in steps() if step.get("uses") == "./"]
    assert uses
    assert all(set(step["with"]) <= inputs for step in uses)
    gate = jobs["gate"]
    assert gate["strategy"]["matrix"]["database"] == ["embedded", "embedded-17"]
    assert filled(uses[0]["with"]["shard"]) == f"3/{len(gate['strategy']['matrix']['shard'])}"
    # The comparison needs the commit that the change began at.
    assert next(step for step in gate["steps"] if "checkout" in step["uses"])["with"]["fetch-depth"] == 0
    kept = [step for name, step in steps() if name == "nightly" and "upload-artifact" in step.get("uses", "")]
    assert ".hypothesis/" in kept[0]["with"]["path"]


def test_the_gate_of_this_repository_has_tests_that_are_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    words = shlex.split(project["tool"]["harness"]["gate"]["tests"])
    assert words[:3] == ["python", "-m", "pytest"]
    paths = [word for word in words if word.startswith("tests/")]
    assert paths
    assert all((ROOT / path).is_file() for path in paths)
    steps_of_gate = load(WORKFLOW)["jobs"]["gate"]["steps"]
    (gate,) = [number for number, step in enumerate(steps_of_gate) if step.get("uses") == "./"]
    # An input would take their place, and the action itself installs nothing that only tests need.
    assert "tests" not in steps_of_gate[gate]["with"]
    assert any("[dev]" in step.get("run", "") for step in steps_of_gate[:gate])


def test_each_merged_report_is_of_the_shards_of_its_database_alone() -> None:
    jobs = load(WORKFLOW)["jobs"]
    (kept,) = [step["with"]["reports"] for step in jobs["gate"]["steps"] if step.get("uses") == "./"]
    (wanted,) = [each["with"]["pattern"] for each in jobs["merged"]["steps"] if "download" in each.get("uses", "")]
    matrix = jobs["gate"]["strategy"]["matrix"]
    names = {
        (database, shard): filled(kept, database=database, shard=str(shard))
        for database, shard in itertools.product(matrix["database"], matrix["shard"])
    }
    assert len(set(names.values())) == len(names)
    for database in jobs["merged"]["strategy"]["matrix"]["database"]:
        pattern = filled(wanted, database=database)
        found = {whose for whose, name in names.items() if fnmatchcase(name, pattern)}
        assert found == {(database, shard) for shard in matrix["shard"]}


def test_the_hook_is_one_and_its_files_are_those_of_subjects() -> None:
    (hook,) = load(HOOKS)
    assert {"id", "name", "entry", "language", "files"} <= set(hook)
    files = ["sql/crm/subject.toml", "sql/crm/migrations/0007_refunds.sql"]
    understood([*shlex.split(hook["entry"])[1:], *files])
    assert all(re.search(hook["files"], name) for name in files)
    assert not re.search(hook["files"], "harness/cli.py")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_page_shows_workflows_that_are_read_and_commands_that_are_understood() -> None:
    text = PAGE.read_text()
    shown = re.findall(r"^    (harness .*)$", text, re.MULTILINE)
    workflow, precommit = map(yaml.safe_load, blocks("yaml"))
    shown += [step["run"] for step in workflow["jobs"]["gate"]["steps"] if step.get("run", "").startswith("harness")]
    assert len(shown) >= 6
    # From where it is, and not from an index, where the name is anybody's.
    (installed,) = [
        Requirement(shlex.split(step["run"])[2])
        for step in workflow["jobs"]["gate"]["steps"]
        if step.get("run", "").startswith("pip install")
    ]
    assert installed.url == f"git+{precommit['repos'][0]['repo']}@{precommit['repos'][0]['rev']}"
    assert installed.extras == {"api", "load"}
    for line in shown:
        understood(shlex.split(line)[1:])
    assert precommit["repos"][0]["hooks"][0]["id"] == load(HOOKS)[0]["id"]


@pytest.mark.parametrize("path", [ACTION, WORKFLOW, HOOKS], ids=lambda path: path.name)
def test_no_line_is_longer_than_a_screen(path: Path) -> None:
    assert max(map(len, path.read_text().splitlines())) <= 130
