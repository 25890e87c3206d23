"""Whole verifications, as processes: verdicts, exit codes, what is written, and that it can be run again."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.db.any_server import AnyServer
from harness.marketplace.subject import load_subject
from harness.report.counterexamples import showings
from harness.report.html import html
from harness.resources import bundled
from tests.report.schemas import validator
from tests.verify.command import harness
from tests.verify.conftest import FEW, RACES, Verified, verify


def verdicts(run: Verified) -> dict[str, str]:
    return {each["id"]: each["verdict"] for each in run.document["properties"]}


def test_published_is_violated(published: Verified) -> None:
    assert published.ended.code == published.document["exit_code"] == 1
    assert published.document["verdict"] == "violated"
    found = verdicts(published)
    assert found["sold-once"] == found["charged-once"] == found["serializable"] == "violated"
    assert "harness replay reports/schedules/published-sold-once-" in published.ended.out
    assert "Traceback" not in published.ended.err


def test_its_page_is_small_and_shows_every_run(published: Verified) -> None:
    page = html(published.document)
    assert len(page.encode()) < 150_000
    files = {each["counterexample"]["file"] for each in published.document["properties"] if each["counterexample"]}
    assert any(f"harness replay {file}" in page for file in files)
    assert page.count('<article id="run-') == len(showings(published.document))
    assert "FOR UPDATE" in page


def test_every_violation_is_minimal_and_was_made_again_ten_times(published: Verified) -> None:
    found = [each["counterexample"] for each in published.document["properties"] if each["counterexample"]]
    assert len(found) >= 4
    for each in found:
        assert (each["reproduced"], each["replays"]) == (10, 10)
        assert each["proved_minimum"]
        assert (published.directory / each["file"]).is_file()


def test_the_race_takes_one_preemption_at_most(published: Verified) -> None:
    recording = json.loads(published.schedule_of("sold-once").read_text())
    assert recording["preemptions"] <= 1
    assert len(recording["steps"]) > 3


@pytest.mark.parametrize("property_id", ["sold-once", "charged-once"])
def test_a_schedule_file_is_run_again(published: Verified, server: AnyServer, property_id: str) -> None:
    ended = harness(
        "replay", published.schedule_of(property_id), "--dsn", server.dsn(), cwd=published.directory, stdin="\n" * 99
    )
    assert (ended.code, ended.err) == (1, "")
    assert f"{property_id} is violated: " in ended.out
    assert "steps, waits, answers and end as recorded." in ended.out


def test_a_replay_stops_before_each_step(published: Verified, server: AnyServer) -> None:
    file = published.schedule_of("sold-once")
    steps = len(json.loads(file.read_text())["steps"])
    ended = harness("replay", file, "--step", "--dsn", server.dsn(), cwd=published.directory, stdin="\n" * steps)
    assert ended.code == 1
    assert ended.out.count("[Enter]") == steps
    assert "step 0: session" not in ended.out, "sessions have names"


def test_the_documents_are_valid(published: Verified, reference: Verified) -> None:
    validator("verify").validate(published.document)
    validator("verify").validate(reference.document)
    validator("schedule").validate(json.loads(published.schedule_of("sold-once").read_text()))


def test_the_junit_report_has_the_failures(published: Verified) -> None:
    suite = ElementTree.parse(published.directory / "reports" / "deep" / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    failed = {case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None}
    violated = {name for name, verdict in verdicts(published).items() if verdict == "violated"}
    assert failed == violated | {"two-buyers-one-lead", "contract-repeated-completion"}


def test_only_the_selected_scenarios_are_run(published: Verified) -> None:
    names = [each["name"] for each in published.document["scenarios"]]
    assert names == ["two-buyers-one-lead", "contract-repeated-completion"]
    # Who may call is judged when all scenarios are.
    assert "only-service-role" not in verdicts(published)


def test_reference_holds(reference: Verified) -> None:
    assert reference.ended.code == reference.document["exit_code"] == 0
    assert set(verdicts(reference).values()) == {"holds"}
    assert [each["name"] for each in reference.document["scenarios"]] == list(RACES)
    assert reference.document["server"]["workers"] == 2
    assert reference.document["schedules"] <= 240
    assert [path.name for path in (reference.directory / "reports").iterdir()] == ["runs"]


def test_so_few_schedules_of_all_scenarios_leave_something_open_and_say_so(everything: Verified) -> None:
    assert everything.document["schedules"] <= FEW
    found = verdicts(everything)
    assert set(found.values()) <= {"holds", "not_exercised"}
    assert found["only-service-role"] == "holds"
    assert everything.ended.code == (5 if "not_exercised" in found.values() else 0)
    assert len(everything.document["scenarios"]) > 70


@pytest.mark.parametrize("what", ["statements", "branches"])
def test_the_scenarios_reach_four_fifths_of_the_reference(everything: Verified, what: str) -> None:
    reached = everything.document["coverage"]["sql"]
    assert 100 * reached[f"{what}_covered"] >= 80 * reached[what] > 0
    # Of all that is written: a function that nobody calls counts, too.
    written = "".join(path.read_text() for path in load_subject("reference", bundled("sql")).migrations)
    assert len(reached["functions"]) == written.count("CREATE FUNCTION ") > 0
    assert reached["not_measured"] == []


def test_before_is_violated_and_says_what_it_cannot_play(server: AnyServer, tmp_path: Path) -> None:
    chosen = ("two-buyers-one-lead", "sweep-against-webhook", "one-workspace-credit-for-one")
    names = [word for name in chosen for word in ("--scenario", name)]
    run = verify(tmp_path, "--subject", "before", *names, "--max-schedules", "60", "--dsn", server.dsn())
    assert run.ended.code == 1
    assert verdicts(run)["sold-once"] == verdicts(run)["no-overdraft"] == "violated"
    assert [each["name"] for each in run.document["skipped"]] == ["sweep-against-webhook"]


def test_a_scenario_is_explored_alone(server: AnyServer, tmp_path: Path) -> None:
    arguments = ("explore", "same-purchase-completed-twice-at-once", "--dsn", server.dsn())
    everything = harness(*arguments, cwd=tmp_path)
    assert everything.code == 0
    assert "EXHAUSTED" in everything.out
    one = harness(*arguments, "--strategy", "urw", "--max", "1", "--subject", "published", cwd=tmp_path)
    assert one.code in (1, 5)
    assert "EXHAUSTED" not in one.out
