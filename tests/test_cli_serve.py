"""``harness serve`` as a process: on a database that is there, from the first purchase to the end."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import ExitStack

import httpx
import psycopg
import pytest

from harness.cli import main
from harness.db.any_server import AnyServer


def test_a_market_is_installed_served_and_left_when_told(server: AnyServer, database: str) -> None:
    del server
    command = [sys.executable, "-m", "harness", "serve", "--port", "0", "--dsn", database, "--install"]
    with ExitStack() as exits:
        serving = exits.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        exits.callback(serving.kill)
        assert serving.stdout is not None
        said = ""
        while "Ctrl-C ends it" not in said:
            line = serving.stdout.readline()
            assert line, said
            said += line
        (url,), (gateway,) = (
            re.findall(rf"{before} (http://\S+?),?$", said.replace(", its document", "\n"), re.MULTILINE)
            for before in ("The purchase API is at", "Stripe is played at")
        )
        (token, _), leads = re.findall(r"mkt_\S+", said)[:2], re.findall(r"^lead (\S+)", said, re.MULTILINE)
        assert database not in said, "it may hold a password"
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
            bought = client.post(
                "/api/marketplace/purchase", json={"lead_ids": leads[:1], "payment_method": "credits"}
            ).json()
            assert bought["remaining_credits"] == "92.00"
            ordered = client.post("/api/credits/purchase", json={"amount": "50.00"}).json()
            assert ordered["checkout_url"].startswith(gateway)
            httpx.post(ordered["checkout_url"]).raise_for_status()
            httpx.post(f"{gateway}/drain", timeout=60).raise_for_status()
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(60) == 0
    with psycopg.connect(database) as owner:
        assert owner.execute("SELECT balance FROM workspace_credits ORDER BY 1 DESC LIMIT 1").fetchone() == (142,)
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert owner.execute(others).fetchone() == (0,)


@pytest.mark.parametrize(
    ("words", "code", "slug"),
    [
        (["--dsn", " "], 2, "empty-dsn"),
        (["--install"], 2, "install-where"),
        (["--dsn", "{}"], 2, "no-api"),
        (["--dsn", "{}", "--install"], 2, "not-empty"),
        (["--dsn", "host=/nowhere"], 2, "dsn-unreachable"),
        (["--port", "70000"], 2, ""),
        (["--subject", "published"], 2, ""),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(
    words: list[str], code: int, slug: str, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("CREATE TABLE there_already ()")
    assert main(["serve", *(word.format(database) for word in words)]) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert slug in error
