"""The summary of a CI step tells what is wrong, where, and how to see it; annotations stand on the line to blame."""

from __future__ import annotations

import copy
import shlex
from pathlib import Path
from typing import Any

import pytest

from harness.cli import app, main
from harness.doors.github import SUMMARY, append_summary, tell_github
from harness.gate.part import Part
from harness.gate.touched import Touched
from harness.report.counterexamples import replay_line
from harness.report.gate import advice
from harness.report.gate_markdown import BYTES_MAX, again, gate_markdown, located, within
from harness.report.markdown import fenced, plain
from harness.report.mermaid import sequence
from harness.report.workflow_commands import ANNOTATIONS_MAX, command, errors_on_lines
from tests.gate.made import failed, gate_of, suite, verified

FILE = "sql/published/migrations/0002_functions.sql"


COMPLETE = {
    "function": "public.complete_credit_lead_purchase(uuid,uuid,numeric)",
    "file": "0002_functions.sql",
    "file_line": 200,
    "unreached": [{"line": 45, "kind": "branch", "what": "IF NOT FOUND THEN"}],
}
"""Where the function is that the example's purchases are completed by."""


def broken(*parts: Part, **more: Any) -> dict[str, Any]:
    """A gate whose verification breaks two properties, with these other parts."""
    document = gate_of(*(parts or (suite(0),)), verified("violated_two"), **more)
    document["parts"][1]["document"]["coverage"]["sql"]["functions"].append(COMPLETE)
    return document


def counterexample(document: dict[str, Any], number: int = 0) -> dict[str, Any]:
    (found,) = [each["document"] for each in document["parts"] if each["part"] == "verify"]
    shown = [each["counterexample"] for each in found["properties"] if each["counterexample"]]
    return dict(shown[number])


def test_it_tells_what_is_broken_where_and_how_to_see_it() -> None:
    document = broken()
    text = gate_markdown(document)
    shown = counterexample(document)
    assert text.startswith("## harness gate: VIOLATED: published does not pass the gate (verify)")
    assert "| tests | **passed** |" in text
    assert "| load | **left out** | - | --without load |" in text
    assert "### Broken: " in text
    assert "(demanded: a lead is sold once)" in text
    assert "Scenario `two-buyers-one-lead`: Both could get it." in text
    assert f"Look at `{located(document, shown)}`:" in text
    assert again(document, shown) in text
    assert f"harness replay {shown['file']}" in text
    assert text.count("```") % 2 == 0


def test_before_anything_else_it_says_what_is_wrong_where_and_how_to_replay_it() -> None:
    document = broken(touched=Touched(("complete_credit_lead_purchase",), ("complete_credit", "buy")))
    text = gate_markdown(document)
    before = text.partition("| part |")[0]
    shown = counterexample(document)
    assert f"`harness replay {shown['file']} --subject sql/mine --step`" in before
    assert f" Look at `{located(document, shown)}`" in before
    assert "explored first: scenarios that come to complete\\_credit\\_lead\\_purchase" in before
    assert "was stopped after step" in before
    shown["because"] = {"sentence": "bob did it", "steps": [3]}
    document["parts"][1]["document"]["properties"][0]["counterexample"] = shown
    assert "bob did it" in gate_markdown(document).partition("| part |")[0]
    assert "explored first" not in gate_markdown(broken())


def test_it_says_how_it_should_have_ended() -> None:
    document = broken()
    order = {"order": ["alice: Buy", "bob: Buy"], "ends": "alice is told ok", "differs": "bob was told ok"}
    for each in document["parts"][1]["document"]["properties"]:
        if each["counterexample"]:
            each["counterexample"]["serial_orders"] = [order, {**order, "ends": "another"}]
    text = gate_markdown(document)
    assert "- right would be, one after the other (alice: Buy; bob: Buy): alice is told ok\n" in text
    assert "another" not in text


def test_where_too_many_schedules_may_be_left_it_is_found_again_by_as_many_as_it_took() -> None:
    shown = {**counterexample(broken()), "preemptions": 3, "proved_minimum": False, "found_after_schedules": 41}
    command = again(broken(), shown)
    assert command.endswith(" --strategy mixture --seed 3 --max 41")
    understood(command)
    assert again(broken(), {**shown, "proved_minimum": True}).endswith(" --preemptions 3")


def test_it_looks_where_a_client_was_stopped_when_nobody_knows_better() -> None:
    document = broken()
    where = located(document, counterexample(document))
    assert where is not None
    assert (where.function, where.body_line) == ("public.validate_and_lock_leads_for_purchase(uuid[],uuid)", 7)
    assert not where.touched


def test_it_looks_at_what_the_story_names() -> None:
    document = broken()
    shown = {**counterexample(document), "because": {"sentence": "so", "steps": [3, 13]}}
    where = located(document, shown)
    assert where is not None
    assert (where.function.partition("(")[0], where.body_line) == ("public.complete_credit_lead_purchase", 7)


def test_it_looks_at_what_the_change_has_touched() -> None:
    line = 200 + 34 - 1  # the third of a statement that begins in line 32 of its body
    changed = [{"file": FILE, "lines": [line], "diff": f"@@ -{line} +{line} @@\n-x FOR UPDATE;\n+x;"}]
    document = broken(changed=changed)
    where = located(document, counterexample(document))
    assert where is not None
    assert (str(where), where.body_line, where.touched) == (f"{FILE}:{line}", 32, True)
    text = gate_markdown(document)
    assert "which this change has touched:" in text
    assert "```diff\n@@" in text
    assert f"::error file={FILE},line={line}," in errors_on_lines(document)[0]


def test_a_line_that_the_run_does_not_execute_is_not_to_blame() -> None:
    # The last is after a branch that the run never came to.
    document = broken(changed=[{"file": FILE, "lines": [95, 199, 200 + 45 - 1], "diff": ""}])
    where = located(document, counterexample(document))
    assert where is not None
    assert not where.touched


def test_a_part_that_did_not_run_has_an_annotation_without_a_place() -> None:
    assert errors_on_lines(gate_of(verified("holds"), failed("load"))) == [
        "::error title=harness gate%3A load::Locust is not installed [no-locust]"
    ]
    assert errors_on_lines(gate_of(verified("holds"))) == []


def test_beside_a_violation_a_part_that_did_not_run_is_a_warning() -> None:
    *errors, last = errors_on_lines(broken(suite(0), failed("load")))
    assert errors
    assert all(each.startswith("::error ") for each in errors)
    assert last.startswith("::warning title=harness gate%3A load::")


def test_what_would_end_or_split_a_command_is_escaped() -> None:
    told = command("error", "100 %\r\nof a: b, c::d", {"file": "a,b:c%.sql", "line": "3"})
    assert told == "::error file=a%2Cb%3Ac%25.sql,line=3::100 %25%0D%0Aof a: b, c::d"


def test_no_more_annotations_than_are_shown() -> None:
    document = broken()
    found = document["parts"][1]["document"]
    entry = found["properties"][0]
    found["properties"] = []
    for number in range(30):
        each = copy.deepcopy(entry)
        each["counterexample"]["scenario"] = f"race-{number}"
        found["properties"].append(each)
    assert len(errors_on_lines(document)) == ANNOTATIONS_MAX


SWEEP = "harness faults --subject published --operation buy"


@pytest.mark.parametrize(
    ("scenario", "command"),
    [
        ("buy~cancel", f"{SWEEP} --fault cancel --pairs 0 --beside 0 --crashes 0"),
        ("buy~error=40001~beside", f"{SWEEP} --fault error --sqlstate 40001 --pairs 0 --crashes 0"),
        ("buy~cancel~error=23505", f"{SWEEP} --fault cancel --fault error --sqlstate 23505 --beside 0 --crashes 0"),
        ("buy~cancel~lock-timeout~beside", f"{SWEEP} --fault cancel --fault lock-timeout --beside 0 --crashes 0"),
        ("buy~terminate~terminate", f"{SWEEP} --fault terminate --beside 0 --crashes 0"),
    ],
)
def test_a_fault_is_found_again_by_its_sweep(scenario: str, command: str) -> None:
    shown = {"scenario": scenario, "preemptions": 1, "isolation": "read committed"}
    assert again(broken(), shown) == command
    understood(command)
    strict = again(broken(), {**shown, "isolation": "repeatable read"})
    assert strict == f"{command} --isolation 'repeatable read'"
    understood(strict)


def test_commands_are_what_a_shell_takes_with_all_that_was_asked_for() -> None:
    document = broken(subject={"name": "crm", "digest": "0123456789ab", "folder": "./my crm"}, scenario_files="a b")
    shown = {**counterexample(document), "isolation": "serializable", "file": "r e/x.json"}
    command = again(document, shown)
    assert "--isolation serializable --scenario-files 'a b'" in command
    replay = replay_line(document, shown)
    assert replay == "harness replay 'r e/x.json' --subject './my crm'"
    for line in (command, replay, *advice(document)):
        understood(line)
        assert "./my crm" in shlex.split(line)
    assert "--scenario-files 'a b' --step" in gate_markdown(document)


def test_the_same_again_is_with_all_that_was_asked_for() -> None:
    left = {"part": "load", "status": "left_out", "why": "--without load", "exit_code": None, "document": None}
    tests = {"part": "tests", "status": "ran", "why": "", "exit_code": 0, "document": {"command": "pytest -q 'a b'"}}
    document = {**broken(), "base": "0123456789abcdef", "budget_seconds": 90, "parts": [left, tests]}
    (command,) = advice(document)
    words = shlex.split(command)
    understood(command)
    assert words[words.index("--base") + 1] == "0123456789ab"
    assert words[words.index("--tests") + 1] == "pytest -q 'a b'"
    assert words[words.index("--without") + 1] == "load"
    assert "--budget 90s" in command
    (more,) = advice({**document, "verdict": "not_exercised"})
    assert "--budget 180s" in more
    hidden = {**tests, "document": {"command": "env TOKEN=... pytest"}}
    assert "--tests" not in advice({**document, "parts": [hidden]})[0]


def understood(line: str) -> None:
    app.parse_args(shlex.split(line)[1:], exit_on_error=False, print_error=False)


def test_there_is_one_diagram_of_the_shortest_run_of_a_part() -> None:
    text = gate_markdown(broken())
    assert text.count("```mermaid\nsequenceDiagram\n") == 1
    shortest = min(
        (each["counterexample"] for each in broken()["parts"][1]["document"]["properties"] if each["counterexample"]),
        key=lambda each: (each["preemptions"], each["steps"]),
    )
    assert fenced(sequence(shortest["story"]), "mermaid") in text


def test_nothing_in_a_text_is_markup() -> None:
    document = gate_of(suite(1, "```", "</table><script>", "a|b"), verified("holds"))
    text = gate_markdown(document)
    assert "````text\n```\n</table><script>\na|b\n````" in text
    row = next(line for line in text.splitlines() if line.startswith("| tests"))
    assert row.endswith("pytest -q ended with 1: a\\|b |")


def test_nobody_is_called_by_a_summary() -> None:
    part = failed("load", "@team: <b> `x`")
    assert "&#64;team: &#60;b&#62; \\`x\\`" in gate_markdown(gate_of(verified("holds"), part))


@pytest.mark.parametrize("size", range(60, 180, 7))
def test_a_cut_closes_the_fence_that_it_cuts(size: int) -> None:
    text = "a\n````text\n```\nx\n```\n````\n" + "b\n" * 100
    cut = within(text, size + 40)
    assert len(cut.encode()) <= size + 40
    assert cut.splitlines().count("````") in (0, 1)
    assert ("````text" in cut) is ("````" in cut.splitlines())


@pytest.mark.parametrize("size", [200, 1000, 3000])
def test_a_summary_that_is_too_long_is_cut_at_a_line_with_a_note(size: int) -> None:
    whole = gate_markdown(broken())
    cut = within(whole, size)
    assert len(cut.encode()) <= size < len(whole.encode())
    assert cut.endswith("*The rest does not fit into this summary. The whole is in the run document.*\n")
    assert cut.count("```") % 2 == 0
    assert whole.startswith(cut.partition("\n*The rest")[0].removesuffix("```\n"))


def test_it_is_appended_and_stays_below_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    append_summary(path, "first\n")
    append_summary(path, "second\n")
    assert path.read_text() == "first\nsecond\n"
    append_summary(path, "é\n" * BYTES_MAX)
    assert path.stat().st_size <= BYTES_MAX
    append_summary(path, "third\n" * 100)
    assert path.stat().st_size <= 1024 * 1024


def test_the_summary_and_the_annotations_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(SUMMARY, str(tmp_path / "summary.md"))
    tell_github(broken())
    assert (tmp_path / "summary.md").read_text() == gate_markdown(broken())
    assert capsys.readouterr().out.splitlines() == errors_on_lines(broken())


@pytest.mark.parametrize(
    ("asked", "why"),
    [("gate --subject nosuch", "[no-subject]"), ("gate --shard half", "half"), ("report --merge a.json", "a.json")],
)
def test_a_command_that_ends_at_once_says_why_where_people_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], asked: str, why: str
) -> None:
    summary = tmp_path / "summary.md"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv(SUMMARY, str(summary))
    assert main(asked.split()) in (2, 3)
    said, annotation = capsys.readouterr().err.splitlines()
    assert annotation == command("error", said.removeprefix("harness: "), {"title": "harness"})
    assert why in said
    assert plain(said.removeprefix("harness: ")) in summary.read_text()
    monkeypatch.setenv(SUMMARY, "/nonexistent/summary.md")
    assert main(asked.split()) in (2, 3)
    assert "[cannot-write]" in capsys.readouterr().err.splitlines()[-1]
    monkeypatch.delenv("GITHUB_ACTIONS")
    main(asked.split())
    assert capsys.readouterr().err == f"{said}\n"
