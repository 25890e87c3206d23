"""The result as JUnit XML, as CI systems read it: a test case for each property and for each scenario.

Nothing is a pass but what was seen to hold: a property that could not be judged or was not exercised is an error, one
that says nothing of the subject is skipped, and so is a scenario in which what it asks for never happened. The suite is
green exactly when the command ends with 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from harness.report.counterexamples import provenance, reason, replay_line, showings
from harness.report.explored import problem
from harness.report.lanes import lanes
from harness.report.phrases import bound, count, label
from harness.report.verdicts import headline

_WIDTH = 100

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""


def junit(document: Mapping[str, Any]) -> str:
    """A run document (harness-verify, version 2) as XML text: a ``testsuite`` for its subject in ``testsuites``."""
    subject = document["subject"]["name"]
    root = Element("testsuites", name="harness verify")
    suite = SubElement(root, "testsuite", name=subject, time=f"{document['seconds']:.3f}")
    facts = {
        "verdict": document["verdict"],
        "seed": document["seed"],
        "schedules": document["schedules"],
        "distinct_schedules": document["distinct_schedules"],
        "postgresql": document["server"]["version"],
        "subject_digest": document["subject"]["digest"],
    }
    totals = {name: value for name, value in document["coverage"]["sql"].items() if not isinstance(value, list)}
    facts |= {f"coverage_sql_{name}": value for name, value in totals.items()}
    properties = SubElement(suite, "properties")
    for name, value in facts.items():
        SubElement(properties, "property", name=name, value=str(value))
    texts = explanations(document)
    for each in document["properties"]:
        property_case(suite, subject, each, texts.get(each["id"], ""), part="shard" in document)
    for each in document["scenarios"]:
        _scenario(suite, subject, each)
    for each in document["skipped"]:
        case = SubElement(suite, "testcase", classname=f"{subject}.scenarios", name=each["name"], time="0")
        SubElement(case, "skipped", message=legal(each["why"]))
    text = finished(root, suite, document, subject, headline(document))
    return text.replace("\xa0", " ")


def finished(root: Element, suite: Element, document: Mapping[str, Any], subject: str, result: str) -> str:
    """The text of a report whose test cases are all there: a red one more where the command ends red without any."""
    green = suite.find("testcase/failure") is None and suite.find("testcase/error") is None
    if green and (document["exit_code"] or document["interrupted"]):
        case = SubElement(suite, "testcase", classname=f"{subject}.verdict", name=document["verdict"], time="0")
        SubElement(case, "error", type=document["verdict"], message=result)
    SubElement(suite, "system-out").text = result
    for element in (root, suite):
        element.set("tests", str(len(suite.findall("testcase"))))
        element.set("failures", str(len(suite.findall("testcase/failure"))))
        element.set("errors", str(len(suite.findall("testcase/error"))))
        element.set("skipped", str(len(suite.findall("testcase/skipped"))))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def property_case(suite: Element, subject: str, entry: Mapping[str, Any], text: str, *, part: bool) -> None:
    """The test case of one property; ``text`` explains a violation at length."""
    case = SubElement(suite, "testcase", classname=f"{subject}.properties", name=entry["id"], time="0")
    message = legal(label(reason(entry)))
    match entry["verdict"]:
        case "holds":
            return
        case "violated":
            SubElement(case, "failure", type="violated", message=message).text = legal(text or message)
        case "not_applicable":
            SubElement(case, "skipped", message=message or "nothing here concerns it")
        case "not_exercised" if part:
            SubElement(case, "skipped", message=message or "nothing in this shard put it to the test")
        case verdict:
            message = message or f"{verdict.replace('_', ' ')} after {count(entry['schedules'], 'schedule')}"
            SubElement(case, "error", type=verdict, message=message).text = legal(text or message)


def _scenario(suite: Element, subject: str, entry: Mapping[str, Any]) -> None:
    case = SubElement(
        suite, "testcase", classname=f"{subject}.scenarios", name=entry["name"], time=f"{entry['seconds']:.3f}"
    )
    explored = (
        f"{entry['certificate']} (bound {bound(entry)}): {count(entry['distinct_schedules'], 'distinct schedule')}, "
        f"{count(entry['distinct_outcomes'], 'outcome')}"
    )
    missed = sorted({one for labels in entry["not_exercised"].values() for one in labels})
    message = legal(problem(entry))
    if entry["hang"] or entry["diverged"]:
        kind = "hang" if entry["hang"] else "nondeterministic"
        SubElement(case, "error", type=kind, message=message).text = legal(entry["hang"] or entry["diverged"])
    elif entry["violated"]:
        SubElement(case, "failure", type="violated", message=message).text = explored
    elif missed:
        unseen = f"never saw {', '.join(map(label, missed))}"
        SubElement(case, "skipped", message=legal(unseen)).text = explored
    elif not entry["schedules"]:
        SubElement(case, "error", type="not_exercised", message="no schedule was run").text = explored
    else:
        SubElement(case, "system-out").text = explored


def explanations(document: Mapping[str, Any]) -> dict[str, str]:
    """Property to the picture of its counterexample."""
    texts = {}
    for showing in showings(document):
        found = showing.counterexample
        picture = lanes(found["story"], width=_WIDTH, guilty=showing.guilty, ascii_only=False)
        for each in showing.properties:
            parts = (reason(each), *provenance(found), "", picture, "", replay_line(document, each["counterexample"]))
            texts[each["id"]] = "\n".join(parts)
    return texts


def legal(text: str) -> str:
    """``text`` without what XML 1.0 cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
