"""``harness monitor``: one look at a live marketplace."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from harness.doors.saving import Saving
from harness.monitor.database import opened
from harness.monitor.document import monitor_document
from harness.monitor.reading import Reading
from harness.monitor.scrape import Unreadable, check_url, count
from harness.monitor.threshold import CONFLICT_RATE, HIT_RATE, THRESHOLDS
from harness.words.errors import UsageError

WINDOW_SECONDS_MAX = 366 * 86400
INTERVAL_SECONDS_MAX = 3600


def monitor(
    *,
    dsn: str,
    metrics_url: str | None,
    window_s: float,
    interval_s: float | None,
    skipped: Collection[str],
    json_file: Path | None,
    reports: Path,
) -> int:
    """Look, report, save; returns the exit code."""
    _require_at_most("--window", window_s, WINDOW_SECONDS_MAX)
    if interval_s is not None and metrics_url is None:
        raise UsageError("no-scrape", "--interval says nothing without --metrics-url", remedy="give both, or neither")
    _require_at_most("--interval", interval_s or 0, INTERVAL_SECONDS_MAX)
    url = None if metrics_url is None else check_url(metrics_url)
    saving = Saving("monitor", "", reports=reports, json_file=json_file)
    counted = None
    if url is None:
        api = [Reading.not_asked(each, "give --metrics-url") for each in (CONFLICT_RATE, HIT_RATE)]
    else:
        try:
            counted = count(url, interval_s)
            api = counted.readings()
        except Unreadable as error:
            api = [Reading.not_had(each, str(error)) for each in (CONFLICT_RATE, HIT_RATE)]
    with opened(dsn) as database:
        readings = [
            each.left_out("left out by --skip") if each.threshold.metric in skipped else each
            for each in (*api, database.sold(window_s), *database.times(window_s))
        ]
        version = database.version
    document = monitor_document(
        sorted(readings, key=lambda reading: THRESHOLDS.index(reading.threshold)),
        at=datetime.now(UTC),
        window_s=window_s,
        metrics_url=url,
        counted=counted,
        server_version=version,
    )
    return saving.ended(document)


def _require_at_most(option: str, wanted_s: float, most_s: float) -> None:
    if wanted_s > most_s:
        raise UsageError("too-long", f"{option} is {wanted_s:.0f} s", expected=f"{most_s} s at most")
