"""The gate runs every part, goes on after what it finds, and says what did not run; here with parts of our own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness import doors
from harness.commands.gate import gate as gate_command
from harness.commands.smoke import smoke as smoke_command
from harness.doors import gate_parts, gating
from harness.doors.asking import require_writable
from harness.doors.gate_parts import Asked, LeftOut
from harness.doors.gating import gate
from harness.gate.budget import Budget
from harness.gate.part import COMPARE, FAULTS, LOAD, TESTS, VERIFY
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.verify.shards import Shard
from harness.words.errors import CouldNotRun, UsageError
from tests.gate.made import suite
from tests.report.documents import document
from tests.report.schemas import validator

Run = Callable[[Asked, float], Mapping[str, Any]]


def says(found: Mapping[str, Any]) -> Run:
    return lambda _asked, _given: {name: value for name, value in found.items() if name != "run"}


def fails(error: BaseException) -> Run:
    def run(_asked: Asked, _given: float) -> Mapping[str, Any]:
        raise error

    return run


HOLDS = says(document("holds"))
TESTED = says(suite(0).document or {})


class Gates:
    """Runs gates in a directory of their own."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._directory = directory
        self._monkeypatch = monkeypatch
        self.document: dict[str, Any] = {}
        self.clock = 0.0
        monkeypatch.setattr(gating, "Budget", partial(Budget, clock=lambda: self.clock))

    def run(self, runs: Mapping[str, Run], **more: Any) -> int:
        whole = {TESTS: TESTED, VERIFY: HOLDS, FAULTS: HOLDS, LOAD: HOLDS, COMPARE: HOLDS, **runs}
        self._monkeypatch.setattr(gate_parts, "_RUNS", whole)
        asked = Asked(
            subject=load_subject("reference", bundled("sql")),
            without=(),
            tests="pytest",
            base="HEAD",
            shard=None,
            seed=0,
            scenario_files=None,
            isolation="read committed",
            database="none of this is used",
            workers=1,
            schedule_files=self._directory / "schedules",
        )
        file = self._directory / "gate.json"
        try:
            return gate(
                replace(asked, **more),
                budget_s=90,
                annotate=False,
                reports=self._directory / "reports",
                json_file=file,
                junit_file=self._directory / "junit.xml",
            )
        finally:
            if file.exists():
                self.document = json.loads(file.read_text())
                validator("gate").validate(self.document)

    @property
    def parts(self) -> dict[str, tuple[str, int | None]]:
        return {each["part"]: (each["status"], each["exit_code"]) for each in self.document["parts"]}


@pytest.fixture
def gates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gates:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    return Gates(tmp_path, monkeypatch)


def test_all_parts_run(gates: Gates, capsys: pytest.CaptureFixture[str]) -> None:
    assert gates.run({}) == 0
    assert set(gates.parts.values()) == {("ran", 0)}
    said = capsys.readouterr()
    assert said.out.startswith("HOLDS: reference passes the gate")
    assert [line.split()[1] for line in said.err.splitlines()] == ["tests,", "verify,", "faults,", "load,", "compare,"]


def test_it_goes_on_after_a_violation_and_after_what_could_not_run(gates: Gates) -> None:
    runs = {VERIFY: says(document("violated_two")), LOAD: fails(CouldNotRun("no-locust", "Locust is not installed"))}
    assert gates.run(runs) == 1
    assert gates.parts == {
        TESTS: ("ran", 0),
        VERIFY: ("ran", 1),
        FAULTS: ("ran", 0),
        LOAD: ("not_run", 3),
        COMPARE: ("ran", 0),
    }


def test_a_summary_that_cannot_be_written_hides_no_violation(gates: Gates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "/nonexistent/summary.md")
    for runs, code in (({VERIFY: says(document("violated_two"))}, 1), ({}, 3)):
        with pytest.raises(CouldNotRun, match=r"summary\.md cannot be written.*\[cannot-write\]") as raised:
            gates.run(runs)
        assert raised.value.exit_code == code


@pytest.mark.parametrize("command", [gate_command, smoke_command])
@pytest.mark.parametrize(("more", "folder"), [({}, "there/schedules"), ({"schedules": Path("elsewhere")}, "elsewhere")])
def test_schedule_files_go_where_reports_go(
    command: Callable[..., int], more: Mapping[str, Path], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def asked_for(asked: Any, **more: Any) -> int:
        seen.append(more.get("schedule_files") or asked.schedule_files)
        return 0

    monkeypatch.setattr(doors, "gate", asked_for)
    monkeypatch.setattr(doors, "smoke", asked_for)
    assert command(subject="reference", reports=Path("there"), **more) == 0
    assert seen == [Path(folder)]


def test_reports_that_are_a_file_are_named(tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.touch()
    with pytest.raises(CouldNotRun, match=r"cannot write into .*/a file, which is a file") as raised:
        require_writable(file / "schedules" / "any")
    assert "schedules" not in str(raised.value)


def test_what_could_not_run_is_not_green_unless_it_is_left_out(gates: Gates) -> None:
    missing = {LOAD: fails(CouldNotRun("no-locust", "Locust is not installed"))}
    assert gates.run(missing) == 3
    assert gates.run(missing, without=[LOAD]) == 0
    assert gates.parts[LOAD] == ("left_out", None)


def test_no_tests_are_no_pass(gates: Gates, capsys: pytest.CaptureFixture[str]) -> None:
    assert gates.run({TESTS: fails(AssertionError("there are none"))}, tests=None) == 0
    assert gates.parts[TESTS] == ("left_out", None)
    assert "no tests are configured" in capsys.readouterr().out


def test_a_part_with_nothing_to_do_says_so(gates: Gates, capsys: pytest.CaptureFixture[str]) -> None:
    assert gates.run({COMPARE: fails(LeftOut("nothing changed"))}) == 0
    assert gates.parts[COMPARE] == ("left_out", None)
    assert "nothing changed" in capsys.readouterr().out


def test_ctrl_c_ends_the_part_and_begins_no_other(gates: Gates) -> None:
    assert gates.run({FAULTS: fails(KeyboardInterrupt())}, without=[LOAD]) == 3
    assert gates.document["interrupted"]
    assert gates.parts == {
        TESTS: ("ran", 0),
        VERIFY: ("ran", 0),
        FAULTS: ("not_run", 3),
        LOAD: ("left_out", None),
        COMPARE: ("not_run", 3),
    }
    assert {each["why"] for each in gates.document["parts"][2:]} == {"interrupted", "--without load"}


def test_with_the_budget_spent_and_a_violation_found_nothing_more_is_begun(gates: Gates) -> None:
    def slow(_asked: Asked, _given: float) -> Mapping[str, Any]:
        gates.clock += 100
        return says(document("violated_two"))(_asked, _given)

    assert gates.run({VERIFY: slow}) == 1
    assert gates.parts[FAULTS] == ("not_run", 3)
    assert gates.document["parts"][2]["why"] == "a violation is found, and too little of the budget is left"


def test_with_a_violation_found_no_part_begins_that_needs_more_than_is_left(gates: Gates) -> None:
    def slow(_asked: Asked, _given: float) -> Mapping[str, Any]:
        gates.clock += 82
        return says(document("violated_two"))(_asked, _given)

    assert gates.run({VERIFY: slow}) == 1
    assert [gates.parts[name][0] for name in (FAULTS, LOAD, COMPARE)] == ["ran", "not_run", "not_run"]
    gates.clock = 0

    def late(_asked: Asked, _given: float) -> Mapping[str, Any]:
        gates.clock += 82
        return HOLDS(_asked, _given)

    assert gates.run({VERIFY: late}) == 0
    assert gates.parts[LOAD] == ("ran", 0)


def test_a_part_that_was_interrupted_is_kept(gates: Gates) -> None:
    assert gates.run({VERIFY: says({**document("violated_two"), "interrupted": True})}) == 1
    assert gates.parts[VERIFY] == ("ran", 1)
    assert gates.parts[FAULTS] == ("not_run", 3)


def test_other_shards_leave_to_the_first_what_is_not_sharded(gates: Gates) -> None:
    never = fails(AssertionError("the first does it"))
    assert gates.run({TESTS: never, LOAD: never, COMPARE: never}, shard=Shard(2, 3)) == 0
    assert gates.document["verdict"] == "unbroken"
    assert [name for name, (status, _) in gates.parts.items() if status == "ran"] == [VERIFY, FAULTS]


def test_a_mistake_in_what_was_asked_for_ends_it_at_once(gates: Gates) -> None:
    with pytest.raises(UsageError, match="no-such"):
        gates.run({VERIFY: fails(UsageError("no-such", "nothing"))})
    with pytest.raises(UsageError, match="nothing-to-gate"):
        gates.run({}, tests=None, without=[VERIFY, FAULTS, LOAD, COMPARE])
