"""Sessions over gevent's hub: greenlets wait without one another, and what is lost is told from what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import psycopg
import pytest

from harness.load.users.conversation import Conversation, LostError, RefusedError

STATEMENTS = {
    "lock": "SELECT pg_advisory_lock($1)::text",
    "unlock": "SELECT pg_advisory_unlock($1)",
    "add": "SELECT $1::int + $2::int, NULL",
    "nothing": "SELECT 1 WHERE false",
    "raise": "DO $$ BEGIN RAISE EXCEPTION 'lead_sold' USING DETAIL = '{}'; END $$",
    "divide": "SELECT 1 / $1::int",
    "end": "SELECT pg_terminate_backend(pg_backend_pid())",
    "long": "SELECT length($1::text)",
}


@pytest.fixture
def session(database: str) -> Iterator[Conversation]:
    session = Conversation(database, STATEMENTS)
    yield session
    session.close()


def test_a_row_is_read(session: Conversation) -> None:
    assert session.ask("add", [b"2", b"3"]) == ["5", None]
    assert session.ask("nothing", []) == []


def test_more_than_fits_a_socket_goes_through(session: Conversation) -> None:
    assert session.ask("long", [b"x" * 20_000_000]) == ["20000000"]


def test_one_waits_while_another_works(database: str, session: Conversation) -> None:
    other = Conversation(database, STATEMENTS)
    order = []

    def wait() -> None:
        other.ask("lock", [b"1"])
        order.append("had the lock")

    session.ask("lock", [b"1"])
    waiting = gevent.spawn(wait)
    gevent.sleep(0)
    assert session.ask("add", [b"1", b"1"]) == ["2", None]
    order.append("worked meanwhile")
    session.ask("unlock", [b"1"])
    waiting.join(10)
    other.close()
    assert order == ["worked meanwhile", "had the lock"]


def test_a_refusal_leaves_the_session_open(session: Conversation) -> None:
    with pytest.raises(RefusedError) as no:
        session.ask("raise", [])
    assert (no.value.sqlstate, no.value.message, no.value.detail) == ("P0001", "lead_sold", "{}")
    with pytest.raises(RefusedError, match="22012"):
        session.ask("divide", [b"0"])
    assert session.ask("add", [b"2", b"2"]) == ["4", None]


def test_the_end_of_a_session_is_a_loss(session: Conversation) -> None:
    with pytest.raises(LostError) as lost:
        session.ask("end", [])
    assert lost.value.sqlstate in ("57P01", "08006")
    with pytest.raises(LostError):
        session.ask("add", [b"1", b"1"])
    session.close()


def test_what_is_committed_is_committed(database: str) -> None:
    session = Conversation(database, {"make": "CREATE TABLE t ()"})
    session.ask("make", [])
    session.close()
    with psycopg.connect(database) as connection:
        connection.execute("SELECT FROM t")


def test_a_server_that_is_not_there(tmp_path: object) -> None:
    with pytest.raises(LostError) as lost:
        Conversation(f"host={tmp_path} dbname=x", {})
    assert lost.value.sqlstate == "08001"


def test_a_statement_that_cannot_be_prepared_is_told(database: str) -> None:
    with pytest.raises(RefusedError, match="42601"):
        Conversation(database, {"wrong": "SELEC"})
