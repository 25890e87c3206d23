"""What is read from a page of metrics: which series count, how two scrapes compare, and what is said of no page."""

from __future__ import annotations

import socket
import sys

import pytest

from harness.monitor import scrape as module
from harness.monitor.scrape import Unreadable, check_url, count
from harness.monitor.threshold import Grade
from harness.words.errors import CouldNotRun, UsageError
from tests.monitor.metrics_page import Api, serving


@pytest.fixture
def api() -> Api:
    return Api()


def test_conflicts_are_the_409s_of_the_purchase_route(api: Api) -> None:
    api.answer(200, "ok", 90)
    api.answer(409, "lead_sold", 6)
    api.answer(409, "lead_busy", 2)
    api.answer(402, "insufficient_credits", 2)
    api.answer(409, "key_in_progress", 50, route="/api/credits/purchase")
    api.answer(409, "lead_sold", 50, method="GET")
    with serving(lambda: (200, api.page())) as url:
        conflicts, _ = count(url, None).readings()
    assert (conflicts.value, conflicts.counted, conflicts.grade) == (0.08, 100, Grade.ABOVE_EXPECTED)
    assert conflicts.figures == {"lead_sold": 6, "lead_busy": 2}


def test_a_repeat_is_one_of_what_was_applied_and_repeated(api: Api) -> None:
    for outcome, times in {"applied": 12, "already_completed": 4, "refused": 7, "ignored": 30, "try_again": 1}.items():
        api.webhook(outcome, times)
    with serving(lambda: (200, api.page())) as url:
        _, repeats = count(url, None).readings()
    assert (repeats.value, repeats.counted, repeats.grade) == (0.25, 16, Grade.ABOVE_EXPECTED)


def test_an_api_that_nobody_has_asked_gives_no_data(api: Api) -> None:
    api.webhook("ignored")
    with serving(lambda: (200, api.page())) as url:
        readings = count(url, None).readings()
    assert [reading.grade for reading in readings] == [Grade.NO_DATA, Grade.NO_DATA]


def test_two_scrapes_tell_what_came_between(api: Api) -> None:
    api.answer(409, "lead_sold", 1000)
    api.webhook("already_completed", 1000)

    def wait(seconds: float) -> None:
        assert seconds == 7
        api.answer(200, "ok", 9)
        api.answer(409, "lead_busy")
        api.webhook("applied", 3)

    with serving(lambda: (200, api.page())) as url:
        counted = count(url, 7, wait)
    conflicts, repeats = counted.readings()
    assert (counted.since, counted.seconds) == ("first_scrape", 7)
    assert (conflicts.value, conflicts.counted, conflicts.figures) == (0.1, 10, {"lead_busy": 1})
    assert (repeats.value, repeats.counted) == (0, 3)


def test_an_api_that_was_started_anew_counts_from_zero(api: Api) -> None:
    api.answer(200, "ok", 1000)
    api.webhook("applied", 1000)
    current = api

    def restart(_: float) -> None:
        nonlocal current
        current = Api()
        current.answer(200, "ok", 3)
        current.answer(409, "lead_sold", 1)

    with serving(lambda: (200, current.page())) as url:
        conflicts, repeats = count(url, 1, restart).readings()
    assert (conflicts.value, conflicts.counted) == (0.25, 4)
    assert repeats.grade is Grade.NO_DATA


def test_the_start_of_the_process_is_told_where_it_is_known(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.monitor.scrape.time.time", lambda: 5000.0)
    page = api.page() + b"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 1400.0\n"
    with serving(lambda: (200, page)) as url:
        assert count(url, None).seconds == 3600
    with serving(lambda: (200, api.page())) as url:
        assert count(url, None).seconds is None


@pytest.mark.parametrize(
    ("status", "page", "said"),
    [
        (404, b"nothing here", "answers 404"),
        (500, b"", "answers 500"),
        (200, b"<html><body>A portal</body></html>", "is no page of metrics"),
        (200, b"", "it is not the purchase API"),
        (200, b"# TYPE up gauge\nup 1\n", "it is not the purchase API"),
        (200, b"x" * 101, "is longer than"),
    ],
)
def test_what_is_no_page_of_the_api_is_said(
    monkeypatch: pytest.MonkeyPatch, status: int, page: bytes, said: str
) -> None:
    monkeypatch.setattr(module, "BYTES_MAX", 100)
    with serving(lambda: (status, page)) as url, pytest.raises(Unreadable, match=said):
        count(url, None)


def test_nobody_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_MAX", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(Unreadable, match="does not answer: timed out"):
            count(f"http://127.0.0.1:{port}/metrics", None)
    with pytest.raises(Unreadable, match="does not answer: Connection refused"):
        count(f"http://127.0.0.1:{port}/metrics", None)


def test_a_proxy_of_the_environment_is_not_asked(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(lambda: (200, api.page())) as url:
        count(url, None)


@pytest.mark.parametrize(
    "url", ["", "localhost:8000/metrics", "file:///etc/passwd", "ftp://host/metrics", "http://", "http://h:99999/m"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="bad-metrics-url"):
        check_url(url)


def test_a_password_is_not_shown() -> None:
    with pytest.raises(UsageError) as refused:
        check_url("http://prometheus:secret@127.0.0.1/metrics")
    assert "secret" not in str(refused.value)


def test_without_the_library_it_is_said_what_to_install(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client.parser", None)
    with serving(lambda: (200, api.page())) as url, pytest.raises(CouldNotRun, match="no-api-packages"):
        count(url, None)
