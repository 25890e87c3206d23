"""The command line: what is refused, in one line and before anything is started; help and version."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import __version__
from harness.cli import main
from tests.verify.command import harness

WRONG = {
    "verify --nonsense": "Unknown option: --nonsense",
    "verify extra": "Unused Tokens: ['extra']",
    "nonsense": 'Unknown command "nonsense"',
    "verify --scenario": "parameter --scenario requires an argument",
    "verify --budget soon": "--budget 'soon' is no duration; expected 60s, 5m or 1h [bad-budget]",
    "verify --budget 0s": "--budget '0s' is no duration; expected 60s, 5m or 1h [bad-budget]",
    "verify --budget -5s": "--budget",
    "verify --budget 6x": "--budget '6x' is no duration",
    "verify --budget 5s --max-schedules 3": "--budget and --max-schedules exclude each other",
    "verify --max-schedules 0": 'Invalid value "0" for --max-schedules. Must be >= 1',
    "verify --max-schedules many": "Invalid value for --max-schedules: 'many' is no whole number",
    "verify --max-schedules 2.5": "Invalid value for --max-schedules: '2.5' is no whole number",
    "verify --workers 0": 'Invalid value "0" for --workers. Must be >= 1',
    "verify --seed x": "Invalid value for --seed: 'x' is no whole number",
    "verify --strict=perhaps": 'Invalid value for --strict: unable to convert "perhaps" into bool',
    "verify --isolation dirty": 'Choose from: "read committed", "repeatable read", "serializable"',
    "verify --database somewhere": "no source of PostgreSQL is called 'somewhere'; expected a DSN, auto, embedded,",
    "verify --subject nobody": "there is no subject 'nobody'; expected one of before, published, reference, or the",
    "verify --subject ./nowhere": "there is no subject.toml in nowhere",
    "verify --scenario nothing-at-all": "there is no scenario 'nothing-at-all'; expected the name of a scenario",
    "verify --scenario two-buyer-one-lead": "expected two-buyers-one-lead or",
    "verify --scenario-files nowhere": "no scenario was found in nowhere",
    "verify --json .": "is a directory; expected the name of a file to write",
    "explore": "requires an argument",
    "explore nothing-at-all": "there is no scenario 'nothing-at-all'",
    "explore two-buyers-one-lead --strategy guess": 'Choose from: "exhaustive", "mixture", "random", "urw", "pct"',
    "explore two-buyers-one-lead --max 0": 'Invalid value "0" for --max. Must be >= 1',
    "explore two-buyers-one-lead --preemptions -1": 'Invalid value "-1" for --preemptions. Must be >= 0',
    "explore two-buyers-one-lead --preemptions 1 --strategy urw": "--preemptions says nothing to urw",
    "explore sweep-against-webhook --subject before": "before has no call sweep",
    "replay": "requires an argument",
    "replay nowhere.json": "cannot read nowhere.json: No such file or directory",
    "scenarios --subject nobody": "there is no subject 'nobody'",
    "db restart": 'Unknown command "restart"',
    "db start --port 70000": "70000 is no port; expected 1 to 65535",
    "db start --port http": "Invalid value for --port: 'http' is no whole number",
}
"""What is asked: what the one line of the answer says."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory without a project, at home there too."""
    monkeypatch.chdir(tmp_path)
    for variable in ("XDG_STATE_HOME", "HARNESS_DSN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("asked", WRONG)
def test_what_is_wrong_is_said_in_one_line(asked: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(asked.split())
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert (code, said.out) == (2, "")
    assert line.startswith("harness: ")
    assert WRONG[asked] in line
    assert len(line) < 300
    assert [*elsewhere.rglob("*.json")] == []


def test_the_process_ends_in_the_same_way(elsewhere: Path) -> None:
    ended = harness("verify", "--budget", "soon", cwd=elsewhere)
    assert (ended.code, ended.complaint) == (2, WRONG["verify --budget soon"])


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__
    assert main(["--help"]) == 0
    words = capsys.readouterr().out.split()
    assert {"verify", "explore", "replay", "scenarios", "db"} <= set(words)
    for command in (["verify"], ["explore"], ["replay"], ["scenarios"], ["db", "start"]):
        assert main([*command, "--help"]) == 0
        assert "Usage: harness" in capsys.readouterr().out


def test_the_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "--subject", "before"]) == 0
    said = capsys.readouterr().out
    assert "\ntwo-buyers-one-lead\n" in said
    assert "    alice: Buy(" in said
    assert "sweep-against-webhook  (not on before: no call sweep" in said


def test_the_scenarios_of_ones_own_are_listed_too(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = elsewhere / "own"
    own.mkdir()
    (own / "mine.py").write_text(MINE)
    assert main(["scenarios", "--scenario-files", "own"]) == 0
    said = capsys.readouterr().out
    assert "\nmine\n    Nothing can go wrong.\n    client: Buy(workspace='A', leads=('L1',), purchase='p')" in said
    assert "\ntwo-buyers-one-lead\n" in said


def test_a_scenario_of_ones_own_cannot_stand_in_for_one_of_ours(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "mine.py").write_text(MINE.replace('"mine"', '"two-buyers-one-lead"'))
    assert main(["scenarios", "--scenario-files", "."]) == 2
    assert "defines two-buyers-one-lead, and so do the bundled scenarios" in capsys.readouterr().err


def test_a_mistake_in_a_scenario_is_named_with_its_line(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "mine.py").write_text(MINE.replace('Buy("A"', 'Buy("B"'))
    assert main(["verify", "--scenario-files", "."]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "mine.py:8: " in line
    assert "names the workspace 'B', which nobody declared" in line


MINE = """
from decimal import Decimal

from harness.marketplace.operations import Buy
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, Start

mine = Scenario(
    name="mine",
    theory="Nothing can go wrong.",
    start=Start({"A": Decimal(50)}, {"L1": LeadStart(Decimal(10))}),
    sessions={"client": [Buy("A", ("L1",), "p")]},
    properties=("sold-once",),
    happened=("ok:Buy",),
)
"""


def test_a_defect_of_ours_is_no_violation(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def defective(*_: object) -> int:
        raise RuntimeError("a checker went wrong")

    monkeypatch.setattr("harness.doors.list_scenarios", defective)
    assert main(["scenarios"]) == 3
    assert "RuntimeError: a checker went wrong" in capsys.readouterr().err
