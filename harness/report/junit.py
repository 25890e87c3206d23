"""To be refined."""

from __future__ import annotations
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring


def junit(document: Mapping[str, Any]) -> str:
    """JUnit XML."""
    suite = Element("testsuite", name=document["subject"]["name"])
    for each in document["properties"]:
        case = SubElement(suite, "testcase", name=each["id"])
        if each["verdict"] == "violated":
            SubElement(case, "failure", message=(each["counterexample"] or each)["why"])
        elif each["verdict"] == "not_applicable":
            SubElement(case, "skipped", message=each.get("why", ""))
        elif each["verdict"] != "holds":
            SubElement(case, "error", message=each["verdict"])
    return tostring(suite, encoding="unicode")
