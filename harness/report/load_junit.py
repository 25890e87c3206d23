"""The result of a load run as JUnit XML: a test case for each property, green exactly when the command ends with 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from harness.report.junit import finished, legal
from harness.report.load import headline


def load_junit(document: Mapping[str, Any]) -> str:
    """A run document (harness-load, version 2) as XML text."""
    subject, scenario = document["subject"]["name"], document["scenario"]["name"]
    root = Element("testsuites", name="harness load")
    suite = SubElement(root, "testsuite", name=f"{subject}.{scenario}", time=f"{document['seconds']:.3f}")
    for each in document["properties"]:
        case = SubElement(suite, "testcase", classname=f"{subject}.{scenario}", name=each["id"], time="0")
        why = legal("; ".join(each["why"]))
        match each["verdict"]:
            case "holds":
                pass
            case "violated":
                SubElement(case, "failure", type="violated", message=why).text = why
            case "not_applicable":
                SubElement(case, "skipped", message=why or "nothing here concerns it")
            case "not_exercised" if document["verdict"] != "not_exercised":
                # The scenario is not there for it.
                SubElement(case, "skipped", message=why or "nothing put it to the test")
            case verdict:
                SubElement(case, "error", type=verdict, message=why or "nothing put it to the test")
    return finished(root, suite, document, subject, legal(headline(document)))
