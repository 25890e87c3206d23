"""The stock: what a file of a few lines says is what is in the market, and nobody else can read it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from time import monotonic, time

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.load.market import fill
from harness.load.stock import TOP_UP, Stock, new_salt, read_stock, this_machine
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.stress.arena import put_in_place
from harness.words.errors import UsageError

STOCK = Stock("reference", "a salt", "dsn", "http://api", "", "whsec", workspaces=3, leads=20, checkouts=4, top_ups=2)


@pytest.fixture(scope="module")
def market(server: AnyServer, module_database: str) -> Iterator[psycopg.Connection]:
    subject = load_subject("reference", bundled("sql"))
    server.ensure_roles(subject.roles)
    put_in_place(module_database, subject)
    with psycopg.connect(module_database, autocommit=True) as connection:
        fill(connection, STOCK)
        yield connection


def test_it_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "stock.json"
    STOCK.write(path)
    assert read_stock(path) == STOCK
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "harness-load-stock", "version": 1, "colour": "red"}'])
def test_a_file_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "stock.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="bad-stock"):
        read_stock(path)
    with pytest.raises(UsageError, match="bad-stock"):
        read_stock(tmp_path / "nothing")


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stock.json"
    STOCK.write(path)
    path.write_text(path.read_text(encoding="utf-8").replace('"version": 1', '"version": 2'), encoding="utf-8")
    with pytest.raises(UsageError, match="another version"):
        read_stock(path)


def test_no_two_things_have_one_id_and_no_two_salts_one_token() -> None:
    kinds = ("workspace", "seller", "lead", "checkout", "top-up")
    ids = {STOCK.id(kind, number) for kind in kinds for number in range(20)}  # type: ignore[arg-type]
    assert len(ids) == 100
    assert new_salt() != new_salt()


def test_leads_tokens_and_prices_are_those_of_the_market(market: psycopg.Connection) -> None:
    rows = market.execute("SELECT id::text, price, workspace_id::text, marketplace_status FROM leads").fetchall()
    assert len(rows) == STOCK.leads + STOCK.checkouts
    found = {row[0]: row[1:] for row in rows}
    for number in range(len(rows)):
        assert found[STOCK.id("lead", number)] == (
            STOCK.price(number),
            STOCK.id("seller", number % STOCK.sellers),
            "available",
        )
    for number in range(STOCK.workspaces):
        row = market.execute(
            "SELECT workspace_id::text FROM api_tokens WHERE token_hash = %s",
            [sha256(STOCK.token(number).encode()).digest()],
        ).fetchone()
        assert row == (STOCK.id("workspace", number),)


def test_everybody_but_the_last_can_pay_and_the_ledger_says_so(market: psycopg.Connection) -> None:
    rows = market.execute(
        "SELECT c.workspace_id::text, c.balance = l.amount, c.balance > 0 FROM workspace_credits AS c"
        " JOIN credit_ledger AS l USING (workspace_id)"
    ).fetchall()
    poor = STOCK.id("workspace", STOCK.workspaces - 1)
    assert sorted(rows) == sorted((STOCK.id("workspace", n), True, n != 2) for n in range(3))
    assert poor in {row[0] for row in rows}


def test_what_waits_for_its_webhook_is_there(market: psycopg.Connection) -> None:
    rows = market.execute(
        "SELECT p.id::text, p.workspace_id::text, p.status, p.total, i.lead_id::text, r.lead_id = i.lead_id"
        " FROM marketplace_purchases AS p JOIN marketplace_purchase_items AS i ON i.purchase_id = p.id"
        " JOIN lead_reservations AS r ON r.purchase_id = p.id"
    ).fetchall()
    assert sorted(rows) == sorted(
        (
            STOCK.id("checkout", n),
            STOCK.id("workspace", STOCK.buyer_of(n)),
            "pending",
            STOCK.price(STOCK.lead_of_checkout(n)),
            STOCK.id("lead", STOCK.lead_of_checkout(n)),
            True,
        )
        for n in range(STOCK.checkouts)
    )
    top_ups = market.execute("SELECT id::text, amount FROM credit_purchases").fetchall()
    assert sorted(top_ups) == sorted((STOCK.id("top-up", n), TOP_UP) for n in range(STOCK.top_ups))


def test_a_subject_without_the_api_is_refused(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection, pytest.raises(UsageError, match="no-api"):
        fill(connection, STOCK)


def test_clocks_of_two_machines_are_brought_together() -> None:
    boot, offset = this_machine()
    assert offset == pytest.approx(time() - monotonic(), abs=1)
    here = Stock("s", "", "", "", "", "", boot=boot, wall_minus_monotonic=offset)
    assert here.since_boot(boot, offset + 5) == 0
    # There the monotonic clock reads 100 where ours reads 130: its machine was started half a minute later.
    assert here.since_boot("another", offset + 30) == pytest.approx(30)
