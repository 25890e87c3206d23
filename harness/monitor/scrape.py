"""What the API counts of itself: its /metrics, as Prometheus scrapes them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Literal
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPErrorProcessor, ProxyHandler, Request, build_opener

from harness.monitor.reading import Reading
from harness.monitor.threshold import CONFLICT_RATE, HIT_RATE
from harness.words.errors import CouldNotRun, UsageError

OURS = "marketplace_"
REQUESTS = "marketplace_requests_total"
WEBHOOKS = "marketplace_webhooks_total"
STARTED = "process_start_time_seconds"
PURCHASE_ROUTE = {"route": "/api/marketplace/purchase", "method": "POST"}
CONFLICT = "409"
APPLIED, REPEATED = "applied", "already_completed"

SECONDS_MAX = 10
BYTES_MAX = 16 << 20

Counts = Mapping[tuple[str, frozenset[tuple[str, str]]], float]
"""(name, labels) of each series to its value."""


class Unreadable(Exception):
    """The API's metrics could not be had; the text says why."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted, by label: 409s by their code and all answers of the purchase route, webhooks by outcome.

    ``since`` its start or our first scrape, that is for ``seconds``; None where the API does not say when it started.
    """

    since: Literal["start", "first_scrape"]
    seconds: float | None
    requests: int
    conflicts: Mapping[str, int]
    webhooks: Mapping[str, int]

    def readings(self) -> list[Reading]:
        """Conflict rate and hit rate."""
        conflicts, applied = sum(self.conflicts.values()), self.webhooks.get(APPLIED, 0)
        repeated = self.webhooks.get(REPEATED, 0)
        return [
            Reading(CONFLICT_RATE, conflicts / self.requests, counted=self.requests, figures=dict(self.conflicts))
            if self.requests
            else Reading(CONFLICT_RATE, reason="nobody has asked to purchase"),
            Reading(HIT_RATE, repeated / (applied + repeated), counted=applied + repeated, figures=dict(self.webhooks))
            if applied + repeated
            else Reading(HIT_RATE, figures=dict(self.webhooks), reason="no webhook was applied"),
        ]


def check_url(url: str) -> str:
    """The URL, if it is one that can be scraped and printed. Raises ``UsageError``."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if "@" in url:  # What stands before it may be a password: the URL is not shown.
        raise UsageError("bad-metrics-url", "--metrics-url has a user in it", expected="http://HOST:PORT/metrics")
    if not fine:
        raise UsageError("bad-metrics-url", f"--metrics-url {url!r:.80}", expected="http://HOST:PORT/metrics")
    return url


def count(url: str, interval_s: float | None, wait: Callable[[float], None] = time.sleep) -> Counted:
    """What the API has counted since it started, or within the next ``interval_s``. Raises ``Unreadable``."""
    before = scrape(url)
    if interval_s is None:
        started = next((value for (name, _), value in before.items() if name == STARTED), None)
        return counted(before, "start", None if started is None else max(time.time() - started, 0))
    wait(interval_s)
    after = scrape(url)
    # A counter that has fallen belongs to a process that has started again, and counts from zero.
    grown = {key: value - was if value >= (was := before.get(key, 0)) else value for key, value in after.items()}
    return counted(grown, "first_scrape", interval_s)


def counted(counts: Counts, since: Literal["start", "first_scrape"], seconds: float | None) -> Counted:
    """The sums that the metrics are made of."""
    requests = 0
    conflicts, webhooks = Counter[str](), Counter[str]()
    for (name, labels), value in counts.items():
        said = dict(labels)
        if name == REQUESTS and said.items() >= PURCHASE_ROUTE.items():
            requests += int(value)
            if said.get("status") == CONFLICT and value:
                conflicts[said.get("code", "")] += int(value)
        elif name == WEBHOOKS and value:
            webhooks[said.get("outcome", "")] += int(value)
    return Counted(since, seconds, requests, conflicts, webhooks)


def scrape(url: str) -> Counts:
    """All series of a page of metrics. Raises ``Unreadable``."""
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError:
        raise CouldNotRun(
            "no-api-packages",
            "the package prometheus-client is missing",
            remedy="pip install 'atomic-payment-harness[api]', or leave out --metrics-url",
        ) from None
    try:
        families = list(text_string_to_metric_families(_text(url)))
    except (ValueError, KeyError, IndexError) as error:
        raise Unreadable(f"{url} is no page of metrics: {str(error)[:60]}") from error
    # Not one certain family: several workers together show none before it has been counted.
    if not any(family.name.startswith(OURS) for family in families):
        raise Unreadable(f"{url} has no metric {OURS}...: it is not the purchase API")
    return {
        (sample.name, frozenset(sample.labels.items())): float(sample.value)
        for family in families
        for sample in family.samples
    }


def _text(url: str) -> str:
    # No proxy: who watches a server should not find that something else on the way is well.
    opener = build_opener(ProxyHandler({}), HTTPErrorProcessor())
    try:
        with opener.open(Request(url, headers={"Accept": "text/plain"}), timeout=SECONDS_MAX) as response:
            body: bytes = response.read(BYTES_MAX + 1)
    except HTTPError as error:
        raise Unreadable(f"{url} answers {error.code}") from error
    except (URLError, HTTPException, OSError) as error:
        said = error.reason if isinstance(error, URLError) else error
        raise Unreadable(f"{url} does not answer: {getattr(said, 'strerror', None) or said}") from error
    if len(body) > BYTES_MAX:
        raise Unreadable(f"{url} is longer than {BYTES_MAX >> 20} MB")
    return body.decode("utf-8", "replace")
