"""What is counted and measured, in the text format of Prometheus.

``Measured`` is around the whole application, so that what is refused before any route is counted, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from time import perf_counter

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.purchase.settings import SHARED

CODE = "marketplace.code"
"""Where a refusal leaves its code in the scope of a request."""

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """The figures of one application. ``in_state`` says how many connections are in which state."""

    def __init__(self, in_state: Callable[[], Mapping[str, int]] = dict) -> None:
        self._in_state = in_state
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "marketplace_requests_total",
            "Requests answered, by HTTP status and by the code of a refusal.",
            ["route", "method", "status", "code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "marketplace_request_seconds",
            "From the request's arrival to the last byte of its answer.",
            ["route", "method"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.webhooks = Counter(
            "marketplace_webhooks_total",
            "Deliveries of Stripe's: applied, already_completed, ignored, refused, try_again.",
            ["type", "outcome"],
            registry=self.registry,
        )
        self.connections = Gauge(
            "marketplace_database_connections",
            "Connections to the database: idle, busy, missing.",
            ["state"],
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self._counters: dict[tuple[str, str, int, str], Counter] = {}
        self._histograms: dict[tuple[str, str], Histogram] = {}

    def count(self, route: str, method: str, status: int, code: str, seconds: float) -> None:
        """One request."""
        key = (route, method, status, code)
        if (counter := self._counters.get(key)) is None:
            counter = self._counters[key] = self.requests.labels(route, method, str(status), code)
        counter.inc()
        if (histogram := self._histograms.get(key[:2])) is None:
            histogram = self._histograms[key[:2]] = self.seconds.labels(route, method)
        histogram.observe(seconds)

    def text(self) -> bytes:
        """Everything, of all workers where there are several."""
        for state, count in self._in_state().items():
            self.connections.labels(state).set(count)
        registry = self.registry
        if SHARED in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others are counted as OTHER, and paths without a route as "-": whoever makes them up adds no series."""


class Measured:
    """An ASGI application whose every request is counted."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        begun = perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = scope.get("route")
            method = scope["method"] if scope["method"] in METHODS else "OTHER"
            code = scope.get(CODE, "")
            self._metrics.count(getattr(route, "path", "-"), method, status, code, perf_counter() - begun)
