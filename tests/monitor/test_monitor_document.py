"""The run document of a look: what its schema refuses, what the page explains, and how it reads."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from harness.monitor.document import monitor_document
from harness.monitor.reading import Reading
from harness.monitor.scrape import Counted
from harness.monitor.threshold import CONFLICT_RATE, CREDITS_TIME, HIT_RATE, SOLD_COUNT, STRIPE_TIME, THRESHOLDS
from harness.report.monitor import render_monitor
from tests.report.schemas import altered, schema, stamped, validator

PAGE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
SCHEMA = schema("monitor")
VALIDATOR = validator("monitor")

LEAD = "5e0f9c1a-93f7-4a4b-8a1c-4f1f6f0b7c11"
API = Counted("start", None, 1204, {"lead_busy": 18, "lead_sold": 71}, {"applied": 34, "already_completed": 3})


def looked(*readings: Reading, **options: Any) -> dict[str, Any]:
    conflicts, repeats = API.readings()
    sold = Reading(
        SOLD_COUNT, 1, counted=1115, figures={"sold_count_above_one": 0, "in_several_purchases": 1}, leads=(LEAD,)
    )
    credits = {"p50": 0.011, "p95": 0.02, "max": 0.31, "above_alert": 0}
    stripe = {"p50": 0.9, "p95": 1.6, "max": 2.2, "above_alert": 0}
    usual = {
        CONFLICT_RATE: conflicts,
        SOLD_COUNT: sold,
        CREDITS_TIME: Reading(CREDITS_TIME, 0.02, 0.31, 1080, credits),
        STRIPE_TIME: Reading(STRIPE_TIME, 1.6, 2.2, 35, stripe),
        HIT_RATE: repeats,
    } | {reading.threshold: reading for reading in readings}
    asked: dict[str, Any] = {"metrics_url": "http://127.0.0.1:8000/metrics", "counted": API} | options
    document = monitor_document(
        list(usual.values()), at=datetime(2026, 2, 5, tzinfo=UTC), window_s=900, server_version="18.6", **asked
    )
    written: dict[str, Any] = json.loads(json.dumps(stamped(document)))
    return written


def test_it_is_as_its_schema_says() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    VALIDATOR.validate(looked())
    assert [each["id"] for each in looked()["metrics"]] == [each.metric for each in THRESHOLDS]


OFFENCES: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "another version": (("version",), 3),
    "an alert without its exit code": (("exit_code",), 0),
    "an alert without a metric that alarms": (("metrics", 1, "verdict"), "ok"),
    "a verdict that passes over an alert": (("verdict",), "ok"),
    "ok without a value": (("metrics", 0, "value"), None),
    "no data with a value": (("metrics", 0, "verdict"), "no_data"),
    "a value with a reason for none": (("metrics", 0, "reason"), "nobody asked"),
    "a negative count": (("metrics", 0, "counted"), -1),
    "a metric that nobody knows": (("metrics", 0, "id"), "mood"),
    "a field that nobody knows": (("mood",), "good"),
    "a time without its zone": (("at",), "2026-02-05T00:00:00"),
}


@pytest.mark.parametrize("offence", OFFENCES)
def test_what_must_not_be_written_is_refused(offence: str) -> None:
    path, value = OFFENCES[offence]
    with pytest.raises(ValidationError):
        VALIDATOR.validate(altered(looked(), path, value))


def explained(heading: str) -> set[str]:
    part = PAGE.partition(heading)[2]
    cells = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", part.partition("\nOf each row")[0], re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"[a-z_]+", cell)}


def test_the_page_explains_every_field() -> None:
    assert explained("## The run document") == set(SCHEMA["required"])
    assert explained("Of each row:") == set(SCHEMA["$defs"]["metric"]["required"])


def test_the_page_shows_what_is_printed() -> None:
    (shown,) = re.findall(r"^```\n(ALERT.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert render_monitor(looked(), ascii_only=False).replace("\xa0", " ") == shown.rstrip("\n")


def test_the_page_has_the_thresholds_of_the_code() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| .* \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", PAGE, re.MULTILINE)

    def limit(text: str) -> float:
        number, _, unit = text.strip("<>≤ ").partition(" ")
        return float(number) / (100 if unit == "%" else 1)

    said = {metric: (limit(expected), limit(alert), "<" not in expected) for metric, expected, alert in rows}
    assert said == {each.metric: (each.expected, each.alert, each.inclusive) for each in THRESHOLDS}


def test_a_narrow_page_keeps_the_verdicts() -> None:
    text = render_monitor(looked(), width=60, ascii_only=True)
    assert text.isascii()
    assert all(len(line) <= 60 for line in text.splitlines())
    assert text.count("ALERT") >= 3


def test_every_verdict_has_its_headline() -> None:
    well = Reading(SOLD_COUNT, 0, counted=3, figures={"sold_count_above_one": 0, "in_several_purchases": 0})
    quiet = [Reading(each, reason="nobody asked") for each in THRESHOLDS]
    unasked = Reading.not_asked(HIT_RATE, "give --metrics-url")
    lost = Reading.not_had(HIT_RATE, "no answer")
    heads = {
        "ALERT: sold count consistency": looked(),
        "ABOVE EXPECTED: purchase conflict rate": looked(well),
        "NOT MEASURED: webhook idempotency hit rate": looked(well, lost),
        "NOTHING MEASURED: there was nothing to look at": looked(*quiet),
    }
    for head, document in heads.items():
        VALIDATOR.validate(document)
        text = render_monitor(document)
        assert text.splitlines()[0] == text.splitlines()[-1] == head
    fine = looked(well, unasked, Reading(CONFLICT_RATE, 0.0, counted=5))
    assert "of 5 requests\n" in render_monitor(fine)
    assert render_monitor(fine).startswith("OK: purchase conflict rate, sold count consistency, completion time,")


def test_it_is_told_over_which_time_the_api_counted() -> None:
    for counted, words in (
        (Counted("start", 7200, 1, {}, {}), "since it started, 120 min ago"),
        (Counted("first_scrape", 30, 1, {}, {}), "between two scrapes 30 s apart"),
    ):
        assert words in " ".join(render_monitor(looked(counted=counted)).split())
    assert "the API" not in render_monitor(looked(metrics_url=None, counted=None))
