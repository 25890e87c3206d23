"""The API as processes: they finish what is in flight, roll back what takes too long, and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.db.migrate import apply
from harness.marketplace.demo import DemoMarket, make_demo_market
from harness.marketplace.subject import load_subject
from harness.purchase.__main__ import COULD_NOT_RUN, main
from harness.purchase.workers import DidNotStart, Workers, serving
from harness.resources import bundled

SECRETS = {"STRIPE_WEBHOOK_SECRET": "whsec_x", "STRIPE_API_KEY": "sk_test_x", "STRIPE_API_BASE": "http://127.0.0.1:9"}


@pytest.fixture(scope="module")
def owner(server: AnyServer, module_database: str) -> Iterator[psycopg.Connection[Any]]:
    subject = load_subject("reference", bundled("sql"))
    server.ensure_roles(subject.roles)
    with psycopg.connect(module_database, autocommit=True) as owner:
        apply(owner, subject.migrations)
        yield owner


@pytest.fixture(scope="module")
def market(owner: psycopg.Connection[Any]) -> DemoMarket:
    return make_demo_market(owner, load_subject("reference", bundled("sql")))


@contextmanager
def api(dsn: str, shutdown_s: float, count: int = 1) -> Iterator[Workers]:
    with serving({**SECRETS, "MARKETPLACE_DSN": dsn}, shutdown_s=shutdown_s, count=count) as workers:
        yield workers


class Buying(threading.Thread):
    """A request that waits for a lead; ``answer`` is None when there was none."""

    def __init__(self, url: str, market: DemoMarket, lead: int) -> None:
        super().__init__()
        self.url, self.token, self.lead = url, market.tokens["acme"], market.leads[lead][0]
        self.answer: httpx.Response | None = None
        self.start()

    def run(self) -> None:
        body = {"lead_ids": [self.lead], "payment_method": "credits"}
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            self.answer = httpx.post(f"{self.url}/api/marketplace/purchase", json=body, headers=headers, timeout=30)
        except httpx.TransportError:
            self.answer = None


@contextmanager
def held(dsn: str, market: DemoMarket, lead: int) -> Iterator[psycopg.Connection[Any]]:
    """A seller is at the row of a lead, and buyers wait."""
    with psycopg.connect(dsn) as seller:
        seller.execute("SELECT FROM leads WHERE id = %s FOR UPDATE", [market.leads[lead][0]])
        yield seller


def until(owner: psycopg.Connection[Any], waiting: int) -> None:
    """So many requests wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    deadline = monotonic() + 30
    while owner.execute(query).fetchone() != (waiting,):
        assert monotonic() < deadline
        sleep(0.01)


def sold(owner: psycopg.Connection[Any]) -> int:
    row = owner.execute("SELECT count(*) FROM leads WHERE sold_count > 0").fetchone()
    assert row is not None
    return int(row[0])


def test_what_is_in_flight_is_finished(
    module_database: str, owner: psycopg.Connection[Any], market: DemoMarket
) -> None:
    before = sold(owner)
    with held(module_database, market, 0) as seller, api(module_database, shutdown_s=20) as workers:
        buying = Buying(workers.url, market, 0)
        until(owner, waiting=1)
        for pid in workers.pids:
            os.kill(pid, signal.SIGTERM)
        # Nobody is let in any more, and the one who is there is served.
        deadline = monotonic() + 20
        while refused(workers.url) is False:
            assert monotonic() < deadline
        seller.rollback()
        buying.join()
    assert buying.answer is not None
    assert buying.answer.status_code == 200
    assert sold(owner) == before + 1


def refused(url: str) -> bool:
    try:
        httpx.get(f"{url}/metrics", timeout=5)
    except httpx.TransportError:
        return True
    sleep(0.02)
    return False


def test_what_takes_too_long_is_rolled_back(
    module_database: str, owner: psycopg.Connection[Any], market: DemoMarket
) -> None:
    before = sold(owner)
    with held(module_database, market, 1):
        with api(module_database, shutdown_s=1) as workers:
            buying = Buying(workers.url, market, 1)
            until(owner, waiting=1)
        # The API has ended, and with it what it had asked for, though the lead is not free yet.
        until(owner, waiting=0)
    buying.join()
    assert buying.answer is None or buying.answer.status_code >= 500
    assert sold(owner) == before


def test_several_workers_add_up_and_end_with_who_started_them(module_database: str, market: DemoMarket) -> None:
    purchase = uuid4()
    code = (
        "import json, os, sys, time; from harness.purchase.workers import serving\n"
        "with serving(json.loads(os.environ['TOLD']), count=2) as workers:\n"
        "    print(json.dumps([workers.url, workers.pids]), flush=True); time.sleep(300)\n"
    )
    told = json.dumps({**SECRETS, "MARKETPLACE_DSN": module_database})
    with subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "TOLD": told}, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        url, pids = json.loads(parent.stdout.readline())
        headers = {"Authorization": f"Bearer {market.tokens['acme']}"}
        for _ in range(20):
            # Each on a connection of its own, which either worker may accept.
            assert httpx.get(f"{url}/api/marketplace/purchases/{purchase}", headers=headers).status_code == 404
        counted = 'method="GET",route="/api/marketplace/purchases/{id}",status="404"} 20.0'
        assert counted in httpx.get(f"{url}/metrics").text
        parent.kill()
    deadline = monotonic() + 30
    while any(b"harness.purchase" in command_of(pid) for pid in pids):
        assert monotonic() < deadline
        sleep(0.02)


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_database_that_is_not_there_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DidNotStart, match="ended with"), serving({**SECRETS, "MARKETPLACE_DSN": "host=/nowhere"}):
        pass
    assert "OperationalError" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [("MARKETPLACE_DSN", None, "MARKETPLACE_DSN is not set"), ("MARKETPLACE_CONNECTIONS", "many", "'many'")],
)
def test_what_is_wrong_in_the_environment_is_told(
    variable: str, value: str | None, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, given in {**SECRETS, "MARKETPLACE_DSN": "dbname=x"}.items():
        monkeypatch.setenv(name, given)
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    assert main([]) == COULD_NOT_RUN
    assert says in capsys.readouterr().err
