"""Looks at a marketplace and comparisons as JUnit XML: a test case for each metric, or for each function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from harness.report import compare, monitor
from harness.report.junit import finished, legal


def monitor_junit(document: Mapping[str, Any]) -> str:
    """A run document (harness-monitor) as XML text: what alarms fails, what could not be measured is skipped.

    What was asked for and could not be had is the last case, an error, for it is nobody's metric.
    """
    root = Element("testsuites", name="harness monitor")
    suite = SubElement(root, "testsuite", name="marketplace", time="0")
    for each, metric in zip(document["metrics"], monitor.metrics(document), strict=True):
        case = SubElement(suite, "testcase", classname="marketplace.metrics", name=each["id"], time="0")
        told = legal("; ".join(part for part in (metric.value, metric.told) if part))
        match each["verdict"]:
            case "alert":
                SubElement(case, "failure", type="alert", message=f"alert {metric.alert}: {told}").text = told
            case "ok" | "above_expected":
                SubElement(case, "system-out").text = told
            case verdict:
                SubElement(case, "skipped", message=told or verdict)
    return finished(root, suite, document, "marketplace", legal(monitor.headline(document)))


def compare_junit(document: Mapping[str, Any]) -> str:
    """A run document (harness-compare) as XML text: a function that is slower fails.

    One of which nothing can be told is skipped; with ``--strict`` it is an error.
    """
    name = f"{document['candidate']['given']} against {document['base']['given']}"
    root = Element("testsuites", name="harness compare")
    suite = SubElement(root, "testsuite", name=legal(name), time=f"{document['seconds']:.3f}")
    titles = {each["id"]: each["title"] for each in document["figures"]}
    for each in document["functions"]:
        case = SubElement(suite, "testcase", classname="compare", name=legal(compare.name_of(each)), time="0")
        told = legal(", ".join(f"{titles[figure['id']]} {compare.figure_cell(figure)}" for figure in each["figures"]))
        match each["verdict"]:
            case "slower":
                SubElement(case, "failure", type="slower", message=told).text = told
            case "no_slowdown":
                SubElement(case, "system-out").text = told
            case verdict if document["strict"]:
                SubElement(case, "error", type=verdict, message=told or verdict)
            case verdict:
                SubElement(case, "skipped", message=told or verdict)
    return finished(root, suite, document, "compare", legal(compare.headline(document)))
