"""Everything in the tables as it was, whatever they are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.db.stage import install_gate
from harness.interleave.snapshot import snapshot
from harness.pytest_interleave import Interleave, Unproved
from harness.words.schedule import Switch

SCHEMA = """
CREATE SCHEMA "Odd Name";
CREATE TABLE parent (id integer PRIMARY KEY, "Its Name" text);
CREATE TABLE "Odd Name".child (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  parent integer NOT NULL REFERENCES parent ON DELETE CASCADE,
  amount numeric, twice numeric GENERATED ALWAYS AS (amount * 2) STORED
);
CREATE TABLE counted (id serial, note text);
CREATE TABLE part (id integer, part integer) PARTITION BY LIST (part);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE nothing ();
CREATE TABLE log (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO log VALUES (TG_OP); RETURN NULL; END $$;
CREATE TRIGGER noted AFTER INSERT OR DELETE ON parent FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO parent VALUES (1, 'one'), (2, NULL);
INSERT INTO "Odd Name".child (parent, amount) VALUES (1, 1.50), (2, NULL);
INSERT INTO part VALUES (1, 1);
INSERT INTO nothing DEFAULT VALUES;
"""

TABLES = [
    "parent",
    '"Odd Name".child',
    "counted",
    "part",
    "nothing",
    "log",
    "counted_id_seq",
    '"Odd Name".child_id_seq',
]

CHANGE = """
DELETE FROM parent WHERE id = 1;
UPDATE parent SET "Its Name" = 'two';
INSERT INTO "Odd Name".child (parent) VALUES (2);
INSERT INTO counted (note) VALUES ('first'), ('second');
INSERT INTO part VALUES (2, 1);
DELETE FROM log;
"""


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SCHEMA)
        install_gate(connection)
        yield connection


def content(connection: psycopg.Connection[Any]) -> list[Any]:
    return [
        connection.execute(sql.SQL(f"SELECT row(t.*)::text FROM {name} AS t ORDER BY 1")).fetchall() for name in TABLES
    ]


def test_everything_is_put_back(connection: psycopg.Connection[Any]) -> None:
    before = content(connection)
    with snapshot(connection) as taken:
        for _ in range(2):
            connection.execute(CHANGE)
            changed = content(connection)
            assert all(was != now for was, now in zip(before, changed, strict=True) if was != [("()",)])
            taken.restore(connection)
            assert scrubbed(content(connection)) == scrubbed(before)
        connection.execute(CHANGE)
    assert scrubbed(content(connection)) == scrubbed(before)
    assert connection.execute("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'start%'").fetchone() == (0,)
    ids = connection.execute("INSERT INTO counted DEFAULT VALUES RETURNING id").fetchone()
    assert ids == (1,)


def scrubbed(found: list[Any]) -> list[Any]:
    """Without how many values a sequence has logged ahead: no client can see it."""
    return [
        [row[0].split(",")[::2] for row in rows] if name.endswith("_seq") else rows
        for name, rows in zip(TABLES, found, strict=True)
    ]


@pytest.mark.usefixtures("bank")
def test_interleave_without_a_reset(interleave: Interleave, bank: psycopg.Connection[Any]) -> None:
    def racy(connection: psycopg.Connection[Any]) -> Any:
        return connection.execute("SELECT withdraw(1, 80)")

    def locked(connection: psycopg.Connection[Any]) -> Any:
        return connection.execute("SELECT withdraw_locked(1, 80)")

    state = "SELECT balance FROM account WHERE id = 1"
    assert interleave(locked, locked, state=state)["distinct_outcomes"] == 2
    with pytest.raises(Unproved, match=r"state \(-60\) matches no serial order; valid: \(20\)"):
        interleave.once(racy, racy, schedule=(Switch(1, 1),), state=state)
    assert bank.execute("SELECT * FROM account ORDER BY id").fetchall() == [(1, 100), (2, 100)]
