"""The API as several processes: they are started, add up their figures, and end with who started them."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
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
from harness.purchase.settings import SHARED
from harness.purchase.workers import DidNotStart, serving
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


def test_who_is_alone_has_figures_of_its_own_and_tells_the_time(tmp_path: Path) -> None:
    told = {**SECRETS, "MARKETPLACE_DSN": "host=/nowhere", SHARED: str(tmp_path)}

    def left(*options: str, fds: tuple[int, ...] = ()) -> int:
        """How many files of figures an API leaves that finds no database."""
        command = [sys.executable, "-m", "harness.purchase", *options]
        ended = subprocess.run(command, env=os.environ | told, pass_fds=fds, stderr=subprocess.PIPE, text=True)
        assert ended.returncode == COULD_NOT_RUN
        lines = [line for line in ended.stderr.splitlines() if " ERROR " in line]
        assert lines
        assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ERROR \d+ uvicorn", line) for line in lines)
        return len(list(tmp_path.iterdir()))

    assert left("--port", "0") == 0
    with pytest.raises(DidNotStart), serving(told):
        pass
    assert list(tmp_path.iterdir()) == []
    with socket.create_server(("127.0.0.1", 0)) as shared:
        assert left("--fd", str(shared.fileno()), fds=(shared.fileno(),)) > 0


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
