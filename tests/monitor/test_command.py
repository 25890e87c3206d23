"""``harness monitor`` as a user runs it: exit codes, the report, the document, and what is said of wrong options."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.monitor.threshold import THRESHOLDS
from tests.monitor.books import Books, as_monitor
from tests.monitor.metrics_page import Api, serving
from tests.report.schemas import validator

SCHEMA = validator("monitor")


class Monitor:
    """Runs of the command on one database."""

    def __init__(self, dsn: str, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._dsn, self._directory, self._capsys = dsn, directory, capsys
        self._file = directory / "monitor.json"
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        options = ("--dsn", self._dsn, "--json", str(self._file), "--reports", str(self._directory / "reports"))
        code = main(["monitor", *options, *arguments])
        self.out, self.err = self._capsys.readouterr()
        return code

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._file.read_text())
        SCHEMA.validate(found)
        return found

    @property
    def verdicts(self) -> list[str]:
        return [each["verdict"] for each in self.document["metrics"]]


@pytest.fixture
def monitor(marketplace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Monitor:
    return Monitor(as_monitor(marketplace), tmp_path, capsys)


@pytest.fixture
def api() -> Iterator[tuple[Api, str]]:
    counted = Api()
    with serving(lambda: (200, counted.page())) as url:
        yield counted, url


def test_all_is_well(books: Books, monitor: Monitor, api: tuple[Api, str]) -> None:
    books.purchase(books.lead(1))
    books.purchase(books.lead(1), method="stripe", took=1.5)
    counted, url = api
    counted.answer(200, "ok", 99)
    counted.answer(409, "lead_busy")
    counted.webhook("applied", 9)
    counted.webhook("already_completed")
    assert monitor("--metrics-url", url, "--window", "15m") == 0
    assert monitor.verdicts == ["ok"] * 5
    assert (monitor.document["verdict"], monitor.document["window_seconds"]) == ("ok", 900)
    assert monitor.document["counters"] == {"since": "start", "seconds": None}
    assert monitor.out.startswith("OK: purchase conflict rate, sold count consistency, ")
    assert "of 100 requests: lead_busy 1" in monitor.out
    assert monitor.err == ""


def test_without_the_api_two_are_not_measured_and_that_is_no_alarm(books: Books, monitor: Monitor) -> None:
    books.purchase(books.lead(1))
    assert monitor() == 0
    assert monitor.verdicts == ["not_measured", "ok", "ok", "no_data", "not_measured"]
    assert monitor.out.count("give --metrics-url") == 2


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("conflicts", "purchase conflict rate"),
        ("repeats", "webhook idempotency hit rate"),
        ("sold twice", "sold count consistency"),
        ("slow", "completion time, Stripe"),
    ],
)
def test_each_of_them_can_alarm(books: Books, monitor: Monitor, api: tuple[Api, str], wrong: str, named: str) -> None:
    counted, url = api
    lead = books.lead(1)
    books.purchase(lead)
    books.purchase(method="stripe")
    counted.answer(200, "ok", 10)
    counted.webhook("applied", 10)
    assert monitor("--metrics-url", url) == 0
    match wrong:
        case "conflicts":
            counted.answer(409, "lead_sold", 3)
        case "repeats":
            counted.webhook("already_completed", 11)
        case "sold twice":
            books.purchase(lead)
        case "slow":
            books.purchase(method="stripe", took=11)
    assert monitor("--metrics-url", url) == 1
    assert sorted(monitor.verdicts) == ["alert", "ok", "ok", "ok", "ok"]
    first, *_, last, how_to_see = monitor.out.splitlines()
    assert how_to_see.startswith("harness report ")
    assert first == last == f"ALERT: {named}"
    assert (str(lead) in monitor.out) == (wrong == "sold twice")


def test_what_is_above_expected_does_not_alarm(books: Books, monitor: Monitor) -> None:
    books.purchase(took=3)
    assert monitor() == 0
    assert monitor.document["verdict"] == "above_expected"
    assert monitor.out.startswith("ABOVE EXPECTED: completion time, credits")


def test_what_is_skipped_neither_alarms_nor_passes(books: Books, monitor: Monitor) -> None:
    books.purchase()
    books.purchase(method="stripe", took=300)
    assert monitor() == 1
    assert monitor("--skip", "completion-time-stripe") == 0
    assert monitor.verdicts == ["not_measured", "ok", "ok", "not_measured", "not_measured"]
    assert monitor.document["metrics"][3]["value"] is None
    assert "left out by --skip; p50 300 s" in monitor.out.replace("\xa0", " ")
    every = [word for each in THRESHOLDS for word in ("--skip", each.metric)]
    assert monitor(*every) == 5


def test_nothing_to_measure_is_no_pass(books: Books, monitor: Monitor) -> None:
    books.lead()
    assert monitor() == 5
    assert monitor.document["verdict"] == "nothing_measured"


def test_an_api_that_is_down_is_exit_3_and_the_database_is_told_of(books: Books, monitor: Monitor) -> None:
    books.purchase()
    assert monitor("--metrics-url", "http://127.0.0.1:1/metrics") == 3
    assert monitor.verdicts == ["not_measured", "ok", "ok", "no_data", "not_measured"]
    assert monitor.document["counters"] is None
    assert "http://127.0.0.1:1/metrics does not answer: Connection refused" in monitor.out


def test_an_alarm_counts_more_than_an_api_that_is_down(books: Books, monitor: Monitor) -> None:
    books.purchase(took=11)
    assert monitor("--metrics-url", "http://127.0.0.1:1/metrics") == 1


def test_the_interval_is_between_two_scrapes(books: Books, monitor: Monitor, api: tuple[Api, str]) -> None:
    counted, url = api
    counted.answer(409, "lead_sold", 3)
    books.purchase()
    assert monitor("--metrics-url", url) == 1
    assert monitor("--metrics-url", url, "--interval", "0.01s") == 0
    assert monitor.verdicts[0] == "no_data"
    assert monitor.document["counters"] == {"since": "first_scrape", "seconds": 0.01}


@pytest.mark.parametrize(
    ("options", "slug"),
    [
        ("--dsn x=", "dsn-syntax"),
        ("--dsn dbname=x --window soon", "bad-budget"),
        ("--dsn dbname=x --window 9000h", "too-long"),
        ("--dsn dbname=x --interval 5s", "no-scrape"),
        ("--dsn dbname=x --interval 2h --metrics-url http://h/m", "too-long"),
        ("--dsn dbname=x --metrics-url h/m", "bad-metrics-url"),
        ("--dsn= ", "no-dsn"),
        ("", "no-dsn"),
    ],
)
def test_wrong_options_are_exit_2(
    options: str, slug: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_DSN", raising=False)
    assert main(["monitor", *options.split()]) == 2
    assert f"[{slug}]" in capsys.readouterr().err


def test_a_database_that_is_down_is_exit_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", "--dsn", "host=127.0.0.1 port=1 dbname=x"]) == 3
    assert "[database-unreachable]" in capsys.readouterr().err
