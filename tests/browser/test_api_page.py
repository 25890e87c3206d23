"""The purchase API's page at /docs, as a browser shows it: it fits, and a request can be made from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from harness.purchase.app import create_app, document_of
from harness.purchase.page import HEADERS, PAGE
from harness.purchase.settings import Settings
from tests.browser.chromium import looked_at


class Desk(BaseHTTPRequestHandler):
    """Serves the page and the API's document, and is in good health."""

    document = json.dumps(document_of(create_app(None, None, Settings("whsec_test")))).encode()  # type: ignore[arg-type]
    files = {  # noqa: RUF012
        "/docs": ("text/html; charset=utf-8", PAGE),
        "/openapi.json": ("application/json", document),
        "/health": ("application/json", b'{"status":"ok"}'),
    }

    def do_GET(self) -> None:
        kind, content = self.files.get(self.path, ("text/plain", b""))
        self.send_response(200 if content else 204)
        for name, value in {**(HEADERS if self.path == "/docs" else {}), "Content-Type": kind}.items():
            self.send_header(name, value)
        if content:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/docs"
        server.shutdown()
        thread.join()


def test_it_fits_every_window_and_a_request_is_answered(browser: webdriver.Chrome, address: str) -> None:
    browser.get(address)
    WebDriverWait(browser, 20).until(lambda _: browser.find_elements(By.CSS_SELECTOR, "#routes details"))
    assert looked_at(browser, "api-docs") == []
    routes = browser.find_elements(By.CSS_SELECTOR, "#routes details")
    for route in routes:
        browser.execute_script("arguments[0].open = true", route)
    assert looked_at(browser, "api-docs-open") == []
    health = next(each for each in routes if "/health" in each.find_element(By.TAG_NAME, "summary").text)
    health.find_element(By.TAG_NAME, "button").click()
    answer = health.find_element(By.TAG_NAME, "pre")
    WebDriverWait(browser, 20).until(lambda _: answer.text.startswith("200"))
    assert '"status": "ok"' in answer.text
