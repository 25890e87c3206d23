"""JUnit: green exactly when the command is, and the failure says it all."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest

from harness.report.junit import junit
from tests.report.documents import NAMES, document


def suite(shown: dict[str, Any]) -> Element:
    root = fromstring(junit(shown))
    assert root.tag == "testsuites"
    (found,) = root
    return found


def case(found: Element, name: str) -> Element:
    (only,) = [each for each in found.iter("testcase") if each.get("name") == name]
    return only


@pytest.mark.parametrize("name", NAMES)
def test_the_counts_are_those_of_the_cases(name: str) -> None:
    found = suite(document(name))
    cases = list(found.iter("testcase"))
    assert found.get("tests") == str(len(cases))
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert found.get(attribute) == str(sum(each.find(kind) is not None for each in cases))


@pytest.mark.parametrize("name", NAMES)
def test_there_is_a_case_for_every_property_and_scenario(name: str) -> None:
    shown = document(name)
    cases = {(each.get("classname"), each.get("name")) for each in suite(shown).iter("testcase")}
    subject = shown["subject"]["name"]
    assert cases == {
        *((f"{subject}.properties", each["id"]) for each in shown["properties"]),
        *((f"{subject}.scenarios", each["name"]) for each in [*shown["scenarios"], *shown["skipped"]]),
    }


@pytest.mark.parametrize(
    ("change", "green"),
    [
        ({}, True),
        ({"interrupted": True}, False),
        ({"verdict": "inconclusive", "exit_code": 6}, False),
        ({"verdict": "not_exercised", "exit_code": 5}, False),
    ],
)
def test_it_is_green_exactly_when_the_command_is(change: dict[str, Any], green: bool) -> None:
    found = suite({**document("holds"), **change})
    assert (found.get("errors") == found.get("failures") == "0") is green


@pytest.mark.parametrize("name", [name for name in NAMES if name != "holds"])
def test_it_is_red_when_the_command_is(name: str) -> None:
    found = suite(document(name))
    assert found.get("errors") != "0" or found.get("failures") != "0"


def test_a_failure_has_the_sentence_the_lanes_and_the_replay_line() -> None:
    shown = document("violated_two")
    for name in ("sold-once", "serializable"):
        failure = case(suite(shown), name).find("failure")
        assert failure is not None
        text = failure.text or ""
        entry = next(each for each in shown["properties"] if each["id"] == name)
        assert text.startswith(failure.get("message", "?"))
        assert "│ ▸ Buy A L1 p" in text
        assert text.endswith(f"harness replay {entry['counterexample']['file']} --subject sql/mine")


@pytest.mark.parametrize(
    ("name", "of", "kind", "type_", "said"),
    [
        ("violated_two", "webhook-idempotent", "skipped", None, "no call deliver"),
        ("violated_two", "webhook-after-refund", "skipped", None, "no call deliver"),
        ("violated_two", "two-buyers-two-leads", "skipped", None, "never saw wait or busy"),
        ("violated_two", "only-service-role", "failure", "violated", "PUBLIC called"),
        ("violated_two", "two-buyers-one-lead", "failure", "violated", "breaks serializable, sold-once"),
        ("not_exercised", "webhook-idempotent", "error", "not_exercised", "never saw replayed"),
        ("hang", "sold-once", "error", "hang", "hang after 17 schedules"),
        ("hang", "no-deadlock", "error", "nondeterministic", "nondeterministic after 29 schedules"),
        ("hang", "two-buyers-one-lead", "error", "hang", "neither goes on nor waits"),
        ("hang", "two-buyers-two-leads", "error", "nondeterministic", "the recording has session 0 alone"),
    ],
)
def test_nothing_passes_that_did_not_hold(name: str, of: str, kind: str, type_: str | None, said: str) -> None:
    found = case(suite(document(name)), of).find(kind)
    assert found is not None
    assert found.get("type") == type_
    assert said in found.get("message", "")


def test_the_picture_of_a_hang_is_kept() -> None:
    error = case(suite(document("hang")), "two-buyers-one-lead").find("error")
    assert error is not None
    assert "ShareLock  not granted" in (error.text or "")


def test_a_scenario_without_a_schedule_is_no_pass() -> None:
    shown = document("holds")
    shown["scenarios"][0].update(schedules=0, certificate="INCONCLUSIVE", preemption_bound=None)
    assert case(suite(shown), "two-buyers-one-lead").find("error") is not None


def test_what_xml_cannot_hold_is_replaced() -> None:
    shown = document("hang")
    shown["scenarios"][0]["hang"] = "stuck\x00\x1b[31m <&>\nmore \ud800"
    error = case(suite(shown), "two-buyers-one-lead").find("error")
    assert error is not None
    assert (
        error.text == "stuck\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}[31m <&>\nmore \N{REPLACEMENT CHARACTER}"
    )
