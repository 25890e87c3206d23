"""Fault sweeps and models as JUnit XML: a test case for each property, green exactly when the command ends with 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from harness.report import faults, model
from harness.report.junit import explanations, finished, legal, property_case


def faults_junit(document: Mapping[str, Any]) -> str:
    """A run document (harness-faults) as XML text: the properties, and each operation."""
    suite, root, subject = _suite(document, "harness faults")
    texts = explanations(document)
    crashed = (document["crashes"] or {}).get("violated", [])
    for each in document["properties"]:
        if each["id"] in crashed and each["verdict"] != "violated":
            continue
        property_case(suite, subject, each, texts.get(each["id"], ""), part="shard" in document)
    for each in crashed:
        case = SubElement(suite, "testcase", classname=f"{subject}.crashes", name=each, time="0")
        why = legal("; ".join(document["crashes"]["why"]))
        SubElement(case, "failure", type="violated", message=why).text = why
    for each in document["operations"]:
        case = SubElement(suite, "testcase", classname=f"{subject}.operations", name=each["name"], time="0")
        if broken := _broken(each):
            message = legal(f"breaks {', '.join(broken)}")
            SubElement(case, "failure", type="violated", message=message).text = message
        else:
            SubElement(case, "system-out").text = f"{len(each['steps'])} steps struck"
    for each in document["skipped"]:
        case = SubElement(suite, "testcase", classname=f"{subject}.operations", name=each["name"], time="0")
        SubElement(case, "skipped", message=legal(each["why"]))
    return finished(root, suite, document, subject, legal(faults.headline(document)))


def model_junit(document: Mapping[str, Any]) -> str:
    """A run document (harness-model) as XML text: what the lives broke, or one case for all that they kept."""
    suite, root, subject = _suite(document, "harness model")
    texts = explanations(document)
    for each in document["properties"]:
        property_case(suite, subject, each, texts.get(each["id"], ""), part="shard" in document)
    for each in document["also_broken"]:
        case = SubElement(suite, "testcase", classname=f"{subject}.properties", name=each, time="0")
        SubElement(case, "failure", type="violated", message="broken as well, on the way to the smallest life")
    if not document["properties"]:
        case = SubElement(suite, "testcase", classname=f"{subject}.lives", name="every property", time="0")
        head = legal(model.headline(document))
        if document["verdict"] == "holds":
            SubElement(case, "system-out").text = head
        else:
            SubElement(case, "error", type=document["verdict"], message=head)
    return finished(root, suite, document, subject, legal(model.headline(document)))


def _suite(document: Mapping[str, Any], name: str) -> tuple[Element, Element, str]:
    subject = str(document["subject"]["name"])
    root = Element("testsuites", name=name)
    return SubElement(root, "testsuite", name=subject, time=f"{document['seconds']:.3f}"), root, subject


def _broken(operation: Mapping[str, Any]) -> Sequence[str]:
    return sorted({each for struck in operation["faults"].values() for each in struck["violated"]})
