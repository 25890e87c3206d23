"""Worlds on a real server: starts put back and read back, in our own schema and in a foreign one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.marketplace.operations import Buy
from harness.marketplace.scenario import Scenario, load_scenarios
from harness.marketplace.start import LeadStart, LeadState, PurchaseStart, Start, State, TopUpStart
from harness.marketplace.subject import Subject, load_subject
from harness.marketplace.world import World
from harness.resources import bundled
from harness.words.errors import CouldNotRun, UsageError
from tests.marketplace.foreign import FOLDER, installed, subject_of

SCENARIOS = load_scenarios(bundled("scenarios"))
TEN = Decimal(10)
START = Start(
    {"A": Decimal("50.05"), "B": Decimal(0)},
    {"L1": LeadStart(TEN), "L2": LeadStart(None, status="unlisted"), "L3": LeadStart(TEN, status="sold", seller="C")},
    {
        "p": PurchaseStart("A", ("L2", "L1"), reserved="held"),
        "q": PurchaseStart("B", ("L1",), "stripe", "cancelled", reserved="expired"),
        "r": PurchaseStart("B", ()),
    },
)
READ = State(
    balances=(("A", Decimal("50.05")), ("B", Decimal(0)), ("C", Decimal(0)), ("seller", Decimal(0))),
    leads=(("L1", LeadState("available", 0)), ("L2", LeadState("unlisted", 0)), ("L3", LeadState("sold", 1))),
    purchases=(("p", "pending"), ("q", "cancelled"), ("r", "pending")),
    items=(("p", ("L1", "L2")), ("q", ("L1",)), ("r", ())),
    ledger=(("A", Decimal("50.05")), ("B", Decimal(0)), ("C", Decimal(0)), ("seller", Decimal(0))),
    charges=(),
    reservations=(("p", ("L1", "L2")),),
)


@pytest.fixture(scope="module", params=["reference", "published", "before", "foreign"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return subject_of(request.param)


@pytest.fixture(scope="module")
def connection(subject: Subject, server: AnyServer) -> Iterator[psycopg.Connection[Any]]:
    with installed(subject, server) as connection:
        yield connection


@pytest.fixture(scope="module")
def foreign(server: AnyServer) -> Iterator[psycopg.Connection[Any]]:
    with installed(subject_of("foreign"), server) as connection:
        yield connection


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_every_start_can_be_put_back_and_is_read_back(
    scenario: Scenario, subject: Subject, connection: psycopg.Connection[Any]
) -> None:
    if lacking := subject.lacks(scenario.start, scenario.operations):
        with pytest.raises(UsageError, match=f"the subject has no {lacking[0]}"):
            World(subject, scenario.start, scenario.operations)
        return
    world = World(subject, scenario.start, scenario.operations)
    world.install(connection)
    start = world.read(connection)
    for _ in range(3):
        world.reset(connection)
        assert world.read(connection) is start
    balances = dict(start.balances)
    assert {name: balances[name] for name in scenario.start.workspaces} == scenario.start.workspaces
    assert {name for name, _ in start.leads} == set(scenario.start.leads)
    assert dict(start.purchases) == {name: row.status for name, row in scenario.start.purchases.items()}


def test_foreign_tables_are_read_in_our_words(foreign: psycopg.Connection[Any]) -> None:
    world = World(subject_of("foreign"), START)
    world.install(foreign)
    assert world.read(foreign) == READ


def test_our_tables_are_read_in_the_same_words(server: AnyServer) -> None:
    subject = subject_of("reference")
    start = Start(START.workspaces, START.leads, START.purchases, {"t": TopUpStart("A", Decimal("0.05"))})
    with installed(subject, server) as connection:
        world = World(subject, start)
        world.install(connection)
        seen = world.read(connection)
    assert seen.top_ups == (("t", "pending"),)
    assert (seen.balances, seen.leads, seen.purchases) == (READ.balances, READ.leads, READ.purchases)
    assert (seen.items, seen.ledger, seen.reservations) == (READ.items, READ.ledger, READ.reservations)


def test_a_reset_undoes_whatever_was_done(foreign: psycopg.Connection[Any]) -> None:
    world = World(subject_of("foreign"), START, [Buy("A", ("L1",), "s")])
    world.install(foreign)
    new = world.names.id_of("purchase", "s")
    foreign.execute("INSERT INTO shop.basket VALUES (%s, 1000002, false, 1, 0, 0, '')", (new,))
    foreign.execute("INSERT INTO shop.basket VALUES (77, 1000002, false, 0, 0, 0, '')")
    foreign.execute("UPDATE shop.wallet SET cents = cents - 1005 WHERE cents > 0")
    changed = world.read(foreign)
    assert dict(changed.purchases)["s"] == "completed"
    assert dict(changed.purchases)["77"] == "pending", "an id that is not ours is its own name"
    assert dict(changed.balances)["A"] == 40
    assert str(dict(changed.balances)["A"]) == "40"
    world.reset(foreign)
    assert world.read(foreign) == READ


def test_the_order_in_which_rows_lie_makes_no_other_state(foreign: psycopg.Connection[Any]) -> None:
    world = World(subject_of("foreign"), START)
    world.install(foreign)
    before = world.read(foreign)
    foreign.execute("UPDATE shop.contact SET phone = phone WHERE id = 2000001")
    assert world.read(foreign) is before


def test_worlds_take_turns_in_one_database(foreign: psycopg.Connection[Any]) -> None:
    first = World(subject_of("foreign"), START)
    second = World(subject_of("foreign"), Start({"Z": TEN}, {}))
    for _ in range(2):
        first.install(foreign)
        first.reset(foreign)
        assert first.read(foreign) == READ
        second.install(foreign)
        second.reset(foreign)
        assert second.read(foreign).balances == (("Z", TEN), ("seller", Decimal(0)))


def test_a_start_is_tried_once_in_a_database(foreign: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    World(subject_of("foreign"), START).install(foreign)
    tried = []
    monkeypatch.setattr(World, "_try", lambda *_: tried.append("again"))
    again = World(subject_of("foreign"), START)
    again.install(foreign)
    assert again.read(foreign) == READ
    assert not tried
    World(subject_of("foreign"), Start({"A": Decimal(11)}, {})).install(foreign)
    assert tried


def test_a_start_that_the_subject_cannot_have_is_not_applicable() -> None:
    with pytest.raises(UsageError, match=r"subject\.toml: the subject has no fixture top_up \[not-applicable\]"):
        World(subject_of("foreign"), Start({"A": TEN}, {}, top_ups={"t": TopUpStart("A", TEN)}))


def test_tables_stay_small(foreign: psycopg.Connection[Any]) -> None:
    world = World(subject_of("foreign"), Start({}, {f"L{number}": LeadStart(TEN) for number in range(60)}))
    world.install(foreign)
    for _ in range(150):
        world.reset(foreign)
    row = foreign.execute("SELECT pg_relation_size('shop.contact') / 8192").fetchone()
    assert row is not None
    # 9000 rows were put in: their line pointers alone would fill 30 pages.
    assert row[0] < 15


def test_a_lock_that_was_left_behind_is_said(foreign: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.marketplace.world._LOCK_TIMEOUT_S", 0.05)
    world = World(subject_of("foreign"), START)
    world.install(foreign)
    with psycopg.connect(foreign.info.dsn) as other:
        other.execute("SELECT FROM shop.wallet FOR UPDATE")
        with pytest.raises(CouldNotRun, match=r"cannot be reset: .*lock timeout; look for a session that holds locks"):
            world.reset(foreign)
        other.rollback()
    world.reset(foreign)
    assert world.read(foreign) == READ


MISTAKES = [
    ("'NZ', '2026-01-01'", "'NZ'", r"toml:11: the server refused workspace of seller: null value .*\[bad-fixture\]"),
    ("%(id)s, %(seller)s, '100", "%(id)s, 5, '100", r"refused lead of L1: .*foreign key"),
    ("shop.hold VALUES", "shop.holt VALUES", r'refused reservation of p: relation "shop.holt" does not exist'),
    ("DELETE FROM shop.hold", "DELETE FRM shop.hold", r"refused wipe: syntax error .*\[bad-fixture\]"),
    ("SELECT basket_id AS purchase, contact_id", "SELECT basket_id, contact_id", r'refused items: column "purchase" d'),
    ("[phase + 1] AS", "[phase AS", r"refused purchases: syntax error .*\[bad-probe\]"),
    ("cents / 100.0 AS balance", "NULL AS balance", r"balances has a NULL for a number; expected a number"),
    (
        "cents / 100.0 AS balance",
        "cents AS balance",
        r":\d+: after the fixtures, balances reads 5005 for A; expected 50.05",
    ),
    ("WHEN 'sold' THEN 'S'", "WHEN 'sold' THEN 'H'", r"leads reads \(False, 1\) for L3; expected \(True, 1\)"),
    (
        "'{pending,completed,can",
        "'{pending,can",
        r"toml:\d+: after the fixtures, purchases reads completed for q; expected cancelled",
    ),
    ("interval '-1 hour' ELSE interval '1 hour'", "interval '1 hour' END", r"refused reservation of p: syntax error"),
    (
        "THEN interval '-1 hour' ELSE",
        "THEN interval '-1 hour' WHEN true THEN interval '-1 hour' ELSE",
        "reads None for p",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES, ids=lambda text: text[:30])
def test_every_mistake_is_found_before_the_first_run(
    old: str, new: str, message: str, foreign: psycopg.Connection[Any], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        World(edited(tmp_path, old, new), START).install(foreign)
    assert "\n" not in str(caught.value)
    assert foreign.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_table_that_the_wipe_forgets_is_named(server: AnyServer, tmp_path: Path) -> None:
    subject = edited(tmp_path, '  "DELETE FROM shop.booking",\n', "")
    with installed(subject, server) as connection:
        world = World(subject, START)
        world.install(connection)
        world.reset(connection)
        with pytest.raises(
            UsageError, match=r'"shop"\."booking" has 12 rows after a reset; expected 4, .*\[wipe-leaves'
        ):
            world.reset(connection)


def test_a_deferred_constraint_is_not_put_off(server: AnyServer, tmp_path: Path) -> None:
    subject = edited(tmp_path, "%(id)s, %(workspace)s, %(method)s", "%(id)s, 5, %(method)s")
    tables = subject.file.path.parent / "tables" / "1.sql"
    tables.write_text(
        tables.read_text().replace(
            "account_id bigint NOT NULL REFERENCES shop.account,\n  card",
            "account_id bigint NOT NULL REFERENCES shop.account DEFERRABLE INITIALLY DEFERRED,\n  card",
        )
    )
    with installed(subject, server) as connection, pytest.raises(UsageError, match=r"foreign key .*\[bad-fixture\]"):
        World(subject, START).install(connection)


def edited(folder: Path, old: str, new: str) -> Subject:
    """The foreign subject with one thing in ``subject.toml`` changed."""
    copy = folder / "foreign"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("*.py*"))
    text = (copy / "subject.toml").read_text()
    assert old in text
    (copy / "subject.toml").write_text(text.replace(old, new, 1))
    return load_subject(str(copy), bundled("sql"))
