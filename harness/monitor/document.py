"""The run document of a look at a marketplace: every metric with its grade, and what they come to together.

Its schema is ``harness/report/monitor.schema.json``; docs/monitoring.md explains every field.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from harness.monitor.reading import Reading
from harness.monitor.scrape import Counted
from harness.monitor.threshold import Grade
from harness.words.errors import ExitCode

FORMAT = "harness-monitor"
VERSION = 2


def monitor_document(
    readings: Sequence[Reading],
    *,
    at: datetime,
    window_s: float,
    metrics_url: str | None,
    counted: Counted | None,
    server_version: str,
) -> dict[str, Any]:
    """The whole document. ``counted`` is what the API told, if it was asked and did."""
    verdict, code = judge(readings)
    return {
        "format": FORMAT,
        "version": VERSION,
        "verdict": verdict,
        "exit_code": int(code),
        "at": at.isoformat(timespec="seconds"),
        "window_seconds": window_s,
        "server": {"version": server_version},
        "metrics_url": metrics_url,
        "counters": None if counted is None else {"since": counted.since, "seconds": _rounded(counted.seconds)},
        "metrics": [_entry(reading) for reading in readings],
    }


def judge(readings: Sequence[Reading]) -> tuple[str, ExitCode]:
    """An alert counts first, then what was asked for and could not be had; nothing measured is no pass."""
    grades = {reading.grade for reading in readings}
    if Grade.ALERT in grades:
        return "alert", ExitCode.VIOLATED
    if any(reading.failed for reading in readings):
        return "could_not_run", ExitCode.COULD_NOT_RUN
    if not grades & {Grade.OK, Grade.ABOVE_EXPECTED}:
        return "nothing_measured", ExitCode.NOT_EXERCISED
    return "above_expected" if Grade.ABOVE_EXPECTED in grades else "ok", ExitCode.HOLDS


def _entry(reading: Reading) -> dict[str, Any]:
    threshold = reading.threshold
    return {
        "id": threshold.metric,
        "verdict": reading.grade.value,
        "unit": threshold.unit,
        "value": _rounded(reading.value),
        "worst": _rounded(reading.worst),
        "expected": threshold.expected,
        "expected_inclusive": threshold.inclusive,
        "alert": threshold.alert,
        "counted": reading.counted,
        "figures": {name: _rounded(value) for name, value in reading.figures.items()},
        "leads": list(reading.leads),
        "reason": reading.reason or None,
    }


def _rounded(value: float | None) -> float | None:
    return round(value, 6) if isinstance(value, float) else value
