"""The example of alert rules: every series in it is one that the API has, and every threshold is the code's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from harness.monitor.threshold import SOLD_COUNT, THRESHOLDS
from harness.purchase.answers import OTHER
from harness.purchase.app import create_app
from harness.purchase.connections import OneConnection
from harness.purchase.metrics import Metrics
from harness.purchase.settings import Settings
from harness.purchase.webhook import KNOWN

FILE = Path(__file__).parents[2] / "docs" / "alerts.yml"
GROUPS = yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"]
RULES: dict[str, Mapping[str, Any]] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
JUDGED = [name for name, rule in RULES.items() if "metric" in rule["labels"]]

SERIES = re.compile(r"(marketplace_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r'(\w+)=(~?)"([^"]*)"')


@pytest.fixture(scope="module")
def real() -> dict[str, list[dict[str, str]]]:
    """What /metrics shows when one request of each kind was counted: name of a series to its labels."""
    metrics = Metrics()
    metrics.count("/api/marketplace/purchase", "POST", 409, "lead_sold", 0.1)
    metrics.count("/api/webhooks/stripe", "POST", 200, "", 0.1)
    create_app(OneConnection(None), None, Settings("whsec"), metrics=metrics)  # type: ignore[arg-type]
    for outcome in ("applied", "already_completed"):
        metrics.webhooks.labels("checkout.session.completed", outcome).inc()
    metrics.connections.labels("idle").set(1)
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


@pytest.mark.parametrize("name", RULES)
def test_a_rule_asks_for_series_that_there_are(name: str, real: dict[str, list[dict[str, str]]]) -> None:
    asked = SERIES.findall(RULES[name]["expr"])
    assert asked
    for series, conditions in asked:
        wanted = LABEL.findall(conditions)
        assert conditions.count("=") == len(wanted)
        assert any(
            all(
                re.fullmatch(value if like else re.escape(value), labels.get(label, ""))
                for label, like, value in wanted
            )
            for labels in real[series]
        ), (series, conditions)


@pytest.mark.parametrize("name", JUDGED)
def test_its_threshold_is_the_code_s(name: str) -> None:
    rule = RULES[name]
    (threshold,) = (each for each in THRESHOLDS if each.metric == rule["labels"]["metric"])
    comparison, number = re.findall(r"(>=?) ([0-9.]+)\s*$", rule["expr"])[0]
    if bound := re.findall(r'le="([0-9.]+)"', rule["expr"]):  # how many were above that bound: one is too many
        assert 0 < float(number) < 1
        (number,) = bound
    if rule["labels"]["severity"] == "page":
        assert (comparison, float(number)) == (">", threshold.alert)
    else:
        assert (comparison, float(number)) == (">" if threshold.inclusive else ">=", threshold.expected)


def test_every_metric_that_the_api_knows_of_has_both_rules() -> None:
    said = sorted((rule["labels"]["metric"], rule["labels"]["severity"]) for rule in map(RULES.__getitem__, JUDGED))
    known = [each.metric for each in THRESHOLDS if each is not SOLD_COUNT]
    assert said == sorted((metric, severity) for metric in known for severity in ("page", "ticket"))


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_whole(name: str) -> None:
    rule = RULES[name]
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"\d+[mh]", rule.get("for", "0m"))
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]
    assert rule["expr"].count("(") == rule["expr"].count(")")


def test_names_are_given_once() -> None:
    assert len(RULES) == sum(len(group["rules"]) for group in GROUPS)


def test_every_event_that_is_refused_pages_and_what_strangers_send_does_not() -> None:
    (asked,) = SERIES.findall(RULES["StripeEventRefused"]["expr"])
    wanted = {label: value for label, _, value in LABEL.findall(asked[1])}
    assert wanted["outcome"] == "refused"
    assert {type_ for type_ in (*KNOWN, OTHER) if re.fullmatch(wanted["type"], type_)} == KNOWN
