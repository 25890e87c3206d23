"""``harness monitor``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from harness import doors
from harness.options import REPORTS, Reports, seconds
from harness.words.errors import UsageError

Metric = Literal[
    "purchase-conflict-rate",
    "sold-count-consistency",
    "completion-time-credits",
    "completion-time-stripe",
    "webhook-idempotency-hit-rate",
]


def monitor(
    *,
    dsn: Annotated[str | None, Parameter(help="the marketplace's database; nothing is written there")] = None,
    metrics_url: str | None = None,
    window: str = "1h",
    interval: str | None = None,
    skip: list[Metric] | None = None,
    json: Path | None = None,
    reports: Reports = REPORTS,
) -> int:
    """Look at a live marketplace: conflicts, double sales, completion times and repeated webhooks, and what alarms.

    Parameters
    ----------
    metrics_url:
        the API's /metrics; without it conflicts and webhooks are not measured
    window:
        look at the purchases that were completed in this time: 15m, 1h
    interval:
        read the API's counters twice, so far apart, instead of since it started
    skip:
        do not judge this metric (may be given several times)
    json:
        write the run document here
    """
    if not dsn or not dsn.strip():
        raise UsageError(
            "no-dsn",
            "there is no --dsn",
            expected="that of the marketplace's database",
            remedy="give one, or HARNESS_DSN",
        )
    return doors.monitor(
        dsn=dsn,
        metrics_url=metrics_url,
        window_s=seconds(window, "--window"),
        interval_s=None if interval is None else seconds(interval, "--interval"),
        skipped=skip or (),
        json_file=json,
        reports=reports,
    )
