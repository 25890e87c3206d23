"""The result as text: nothing is left out, the worst comes first, each run is shown once."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from harness.report.terminal import render
from tests.report.documents import NAMES, document

WHOLE = re.compile(r"^ +(harness \w|pid )")
"""Commands are there to be copied, the locks of a hang to be read as the server gives them: they are never broken."""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [60, 80, 100, 160])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_no_line_is_wider_than_the_page(name: str, width: int, ascii_only: bool) -> None:
    text = render(document(name), width=width, ascii_only=ascii_only)
    assert [line for line in text.splitlines() if cell_len(line) > width and not WHOLE.match(line)] == []
    assert text.isascii() or not ascii_only


@pytest.mark.parametrize("name", NAMES)
def test_colour_changes_nothing_but_colour(name: str) -> None:
    coloured = render(document(name), colour=True, ascii_only=False)
    stripped = re.sub(r"\x1b\[[\d;]*m", "", coloured)
    assert coloured != stripped
    plain = render(document(name), ascii_only=False)
    assert [line.rstrip() for line in stripped.splitlines()] == [line.rstrip() for line in plain.splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_every_property_and_scenario_is_named(name: str) -> None:
    shown = document(name)
    text = render(shown, ascii_only=False)
    for each in [*shown["scenarios"], *shown["skipped"]]:
        assert re.search(rf"\b{each['name']}\b", text), each["name"]
    for each in shown["properties"]:
        verdict = each["verdict"].replace("_", " ")
        assert re.search(rf"(?i)^  {each['id']} +{verdict}( |$)", text, re.MULTILINE), each["id"]


@pytest.mark.parametrize("name", NAMES)
def test_the_verdict_is_the_first_line_and_the_last(name: str) -> None:
    lines = render(document(name), ascii_only=False).splitlines()
    assert lines[0] == lines[-1]
    words = {"holds": "HOLDS", "violated": "VIOLATED", "not_exercised": "NOT EXERCISED", "could_not_run": "NOT JUDGED"}
    assert lines[0].startswith(words[document(name)["verdict"]])


def test_the_gravest_properties_come_first() -> None:
    text = render(document("violated_two"), ascii_only=False)
    rows = [line.split()[0] for line in text.splitlines()[4:9]]
    assert rows == ["sold-once", "serializable", "only-service-role", "no-overdraft", "webhook-idempotent"]


def test_a_run_that_breaks_two_properties_is_shown_once() -> None:
    text = render(document("violated_two"), ascii_only=False)
    assert text.count("step │") == 1
    assert "── sold-once, serializable ──" in text
    assert text.count("harness replay") == 2  # below it, and step by step under "next"


def test_runs_that_differ_are_shown_each() -> None:
    assert render(document("violated_three"), ascii_only=False).count("step │") == 2


def test_a_violation_without_a_run_says_why() -> None:
    text = render(document("violated_two"), ascii_only=False)
    assert "PUBLIC called complete_credit_lead_purchase" in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("violated_three", "fewer not ruled out"),
        ("violated_three", "replayed 9 of 10 times"),
        ("violated_three", "Not every replay went the same way"),
        ("violated_three", "public.audit_leads(): written in SQL"),
        ("violated_three", "(interrupted; judged by what was run)"),
        ("violated_two", "never saw wait or busy: two-buyers-two-leads"),
        ("violated_two", "mine has no call deliver: two-events-for-one-payment, webhook-after-refund"),
        ("violated_two", "session alice was told"),
        ("not_exercised", "webhook-after-refund never saw replayed, refused:refunded or busy"),
        ("hang", "pid 4711  alice  transactionid  ShareLock  not granted"),
        ("hang", "the recording has session 0 alone"),
        ("holds", "three-buyers-one-lead (0.093 %)"),
    ],
)
def test_it_is_said(name: str, said: str) -> None:
    assert said in render(document(name), width=160, ascii_only=False)


def test_nothing_that_holds_is_said_of_an_inconclusive_run() -> None:
    strict = document("holds")
    strict["scenarios"][0]["certificate"] = "INCONCLUSIVE"
    strict.update(verdict="inconclusive", exit_code=6, strict=True)
    text = render(strict, ascii_only=False)
    assert text.startswith("INCONCLUSIVE: reference broke nothing, but 1 scenario had too little time")
    assert "HOLDS" not in text


def test_a_subject_to_which_nothing_applies_does_not_hold() -> None:
    empty = document("holds")
    for each in empty["properties"]:
        each.update(verdict="not_applicable", scenarios=[], schedules=0, why="no probe")
    empty.update(verdict="not_exercised", exit_code=5)
    text = render(empty, ascii_only=False)
    assert text.startswith("NOT EXERCISED: nothing on reference put any property to the test")


def test_more_of_the_same_limit_is_advised() -> None:
    limited = document("holds")
    limited["limits"] = {"seconds": None, "schedules": 500}
    assert "harness verify --subject reference --max-schedules 2000" in render(limited)
    assert "harness verify --subject reference --budget 4m" in render(document("holds"))


def test_nothing_is_advised_when_all_is_done() -> None:
    done = document("holds")
    for each in done["scenarios"]:
        each.update(certificate="EXHAUSTED", miss_bound=None)
    assert "harness verify" not in render(done)
