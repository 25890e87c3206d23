"""What sessions under control have reached: what they went past, not where they only stood."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.db.instrument import install, plan
from harness.db.plan import Plan
from harness.db.reached import Reached
from harness.db.stage import PostgresStage, install_gate
from harness.engine.execution import Execution, Run
from harness.engine.recorder import Recorder
from harness.explore.sparse import Sparse
from harness.words.fault import Strike
from harness.words.schedule import Switch

from .bank import perform

FUNCTION = """
CREATE SCHEMA shop;
CREATE TABLE shop.t (n integer);
CREATE FUNCTION shop.f(n integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  x integer := 0;
BEGIN
  x := x + 1;
  IF n > 0 THEN
    x := x + 1;
    INSERT INTO shop.t VALUES (f.n);
  END IF;
  RETURN x;
END $$;
CREATE FUNCTION shop.fails() RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    INSERT INTO shop.t VALUES (1);
    RAISE EXCEPTION 'no';
  EXCEPTION WHEN raise_exception THEN
  END;
  RETURN 1;
END $$;
"""


class Shop:
    """Runs of calls on one stage, and what was reached by them."""

    def __init__(self, dsn: str, planned: Plan, *, local: bool) -> None:
        self.reached = Reached(planned.marks)
        self._sites = [
            (site.line, site.what, site.told_by)
            for each in planned.measured
            for site in (*each.statements, *each.branches)
        ]
        self.stage = PostgresStage(dsn, local=local, reached=self.reached)

    def run(self, *statements: str, cancel_at: int | None = None) -> Run:
        recorder = Recorder()
        cast: list[Any] = [recorder.program(0, statements, perform)]
        switches = [] if cancel_at is None else [Switch(cancel_at, 1)]
        cast += [] if cancel_at is None else [Strike(0)]
        strategy = Sparse(tuple(switches))
        assert strategy.begin()
        self.stage.set_scene(cast)
        return Execution(self.stage).run(strategy, recorder)

    @property
    def places(self) -> list[str]:
        return [f"{line} {what}" for line, what, told_by in self._sites if told_by in self.reached.told]


@pytest.fixture(scope="module")
def planned(module_database: str) -> Plan:
    with psycopg.connect(module_database, autocommit=True) as connection:
        connection.execute(FUNCTION.encode())
        install_gate(connection)
        found = plan(connection, ["shop"])
        install(connection, found)
    return found


@pytest.fixture
def shop(module_database: str, planned: Plan, server: AnyServer) -> Iterator[Shop]:
    shop = Shop(module_database, planned, local=server.local)
    with shop.stage:
        yield shop


STRAIGHT = ["5 x := x + 1;", "6 IF n > 0 THEN", "10 RETURN x;", "6 no arm of IF n > 0 THEN"]


def test_what_is_executed_is_reached(shop: Shop) -> None:
    assert shop.places == []
    shop.run("SELECT shop.f(0)")
    assert shop.places == STRAIGHT
    shop.run("SELECT shop.f(1)")
    assert len(shop.places) == 7


def test_what_is_rolled_back_was_executed(shop: Shop) -> None:
    shop.run("SELECT shop.fails()")
    assert shop.places == [
        "4 INSERT INTO shop.t VALUES (1);",
        "5 RAISE EXCEPTION 'no';",
        "8 RETURN 1;",
        "7 handler 1 of EXCEPTION",
    ]


def test_a_statement_before_which_the_session_is_cancelled_is_not_reached(shop: Shop) -> None:
    # Its steps: the call, the INSERT, the RETURN.
    shop.run("SELECT shop.f(1)", cancel_at=1)
    assert "7 x := x + 1;" in shop.places
    assert not [place for place in shop.places if "INSERT" in place or "RETURN" in place]
    shop.run("SELECT shop.f(1)", cancel_at=2)
    assert [place for place in shop.places if "INSERT" in place]
    assert not [place for place in shop.places if "RETURN" in place]


def test_marks_are_no_steps_and_fall_silent(shop: Shop) -> None:
    runs = [shop.run("SELECT shop.f(0)") for _ in range(3)]
    assert len({run.steps for run in runs}) == 1
    places = shop.places
    seen = set(shop.reached.marks)
    assert seen
    shop.reached.marks.clear()  # the session, told to be silent, tells it no more
    shop.run("SELECT shop.f(0)")
    assert shop.reached.marks == set()
    shop.reached.marks |= seen
    assert shop.places == places


def test_a_new_session_is_asked_only_for_what_nobody_has_seen(shop: Shop) -> None:
    shop.run("SELECT shop.f(0)")
    seen = set(shop.reached.marks)
    shop.stage.drop_sessions()
    shop.reached.marks.clear()
    shop.reached.marks |= seen
    told: list[int] = []
    shop.reached.marks = Noting(seen, told)
    shop.run("SELECT shop.f(1)")
    assert told
    assert not seen & set(told)


class Noting(set[int]):
    """A set that notes what is added to it."""

    def __init__(self, members: set[int], notes: list[int]) -> None:
        super().__init__(members)
        self._notes = notes

    def add(self, member: int, /) -> None:
        self._notes.append(member)
        super().add(member)


def test_nobody_asks_without_a_plan(module_database: str, planned: Plan, server: AnyServer) -> None:
    del planned
    with PostgresStage(module_database, local=server.local) as stage:
        recorder = Recorder()
        stage.set_scene([recorder.program(0, ["SELECT shop.f(1)"], perform)])
        strategy = Sparse(())
        assert strategy.begin()
        Execution(stage).run(strategy, recorder)
        assert stage.reached.marks == set()
        assert stage.reached.points
