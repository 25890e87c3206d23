"""A page of metrics like the API's, counted by the real library, and a server that answers with a page or worse."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from prometheus_client import CollectorRegistry, Counter, generate_latest

PURCHASE = "/api/marketplace/purchase"


class Api:
    """What the purchase API counts, by the names and labels of its contract."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("route", "method", "status", "code")
        self.requests = Counter("marketplace_requests", "Answers.", labels, registry=self.registry)
        self.webhooks = Counter("marketplace_webhooks", "Webhooks.", ("type", "outcome"), registry=self.registry)

    def answer(self, status: int, code: str, times: int = 1, route: str = PURCHASE, method: str = "POST") -> None:
        self.requests.labels(route, method, str(status), code).inc(times)

    def webhook(self, outcome: str, times: int = 1) -> None:
        self.webhooks.labels("checkout.session.completed", outcome).inc(times)

    def page(self) -> bytes:
        return generate_latest(self.registry)


@contextmanager
def serving(answer: Callable[[], tuple[int, bytes]]) -> Iterator[str]:
    """The URL of a server on loopback that answers every GET so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Not to the standard error."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
