"""Controlled connections, driven by hand: a coroutine stops before each round trip until somebody makes it."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import pq, sql, waiting

from harness.db.controlled import ControlledConnection, RoundTrip, connect_controlled, execute_plainly
from harness.words.errors import CouldNotRun


@pytest.fixture
def connection(module_database: str) -> Iterator[ControlledConnection]:
    connection = connect_controlled(module_database)
    yield connection
    connection.pgconn.finish()


@pytest.fixture(scope="module")
def witness(module_database: str) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else, who sees what was committed."""
    with psycopg.connect(module_database, autocommit=True) as witness:
        witness.execute("CREATE TABLE seen (id integer)")
        yield witness


def make(connection: ControlledConnection, trip: RoundTrip) -> Any:
    return waiting.wait(trip.generator, connection.pgconn.socket)


def drive(connection: ControlledConnection, program: Coroutine[RoundTrip, Any, Any]) -> tuple[list[str], Any]:
    """Make all its round trips; what each was about to send, and what the program returned."""
    sent = []
    try:
        trip = program.send(None)
        while True:
            sent.append(connection.take_statement())
            try:
                result = make(connection, trip)
            except psycopg.Error as error:
                trip = program.throw(error)
            else:
                trip = program.send(result)
    except StopIteration as stop:
        return sent, stop.value


def count(witness: psycopg.Connection[Any]) -> int:
    (rows,) = witness.execute("SELECT count(*) FROM seen").fetchone() or (0,)
    return int(rows)


def test_nothing_is_sent_until_the_round_trip_is_made(
    connection: ControlledConnection, witness: psycopg.Connection[Any]
) -> None:
    before = count(witness)
    program = connection.execute("INSERT INTO seen VALUES (1)")
    trip = program.send(None)
    assert isinstance(trip, RoundTrip)
    assert connection.pgconn.transaction_status == pq.TransactionStatus.IDLE
    assert count(witness) == before
    result = make(connection, trip)
    with pytest.raises(StopIteration):
        program.send(result)
    assert count(witness) == before + 1


def test_it_is_in_autocommit_mode(connection: ControlledConnection) -> None:
    assert connection.autocommit
    assert len(drive(connection, connection.execute("SELECT 1"))[0]) == 1


def test_a_transaction_makes_its_round_trips_one_by_one(connection: ControlledConnection) -> None:
    async def program() -> int:
        async with connection.transaction():
            await connection.execute("SELECT 1")
            cursor = await connection.execute("SELECT 2")
            (two,) = await cursor.fetchone() or (0,)
            return int(two)

    assert drive(connection, program()) == (["", "SELECT 1", "SELECT 2", ""], 2)
    assert connection.pgconn.transaction_status == pq.TransactionStatus.IDLE


def test_an_error_arrives_where_it_was_awaited(connection: ControlledConnection) -> None:
    async def program() -> str:
        try:
            await connection.execute("SELECT 1 / 0")
        except psycopg.errors.DivisionByZero:
            return "caught"
        return "not caught"

    assert drive(connection, program()) == (["SELECT 1 / 0"], "caught")


def test_an_error_inside_a_transaction_rolls_back(connection: ControlledConnection) -> None:
    async def program() -> None:
        async with connection.transaction():
            await connection.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        drive(connection, program())
    assert connection.pgconn.transaction_status == pq.TransactionStatus.IDLE


def test_a_copy_is_made_of_round_trips_too(connection: ControlledConnection, witness: psycopg.Connection[Any]) -> None:
    async def program() -> None:
        async with connection.cursor() as cursor, cursor.copy("COPY seen FROM STDIN") as copy:
            await copy.write_row((7,))

    before = count(witness)
    drive(connection, program())
    assert count(witness) == before + 1


def test_rows_are_streamed(connection: ControlledConnection) -> None:
    async def program() -> list[int]:
        async with connection.cursor() as cursor:
            return [row[0] async for row in cursor.stream("SELECT * FROM generate_series(1, 3)")]

    assert drive(connection, program())[1] == [1, 2, 3]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("SELECT %s", "SELECT %s"),
        (b"SELECT %s", "SELECT %s"),
        (sql.SQL("SELECT {} || %s").format(sql.Literal("a")), "SELECT 'a' || %s"),
    ],
    ids=["text", "bytes", "composed"],
)
def test_a_statement_is_told_before_it_is_sent(connection: ControlledConnection, query: Any, text: str) -> None:
    assert drive(connection, connection.execute(query, ("b",)))[0] == [text]


def test_a_statement_is_told_once(connection: ControlledConnection) -> None:
    program = connection.execute("SELECT 1")
    program.send(None)
    assert [connection.take_statement(), connection.take_statement()] == ["SELECT 1", ""]
    program.close()


def test_a_server_that_refuses_is_told_in_one_line(module_database: str) -> None:
    nowhere = psycopg.conninfo.make_conninfo(module_database, dbname="harness_that_is_not_there")
    with pytest.raises(CouldNotRun, match='database "harness_that_is_not_there" does not exist') as caught:
        connect_controlled(nowhere)
    assert caught.value.slug == "session-refused"


def test_plain_execution_raises_the_error_of_the_server(connection: ControlledConnection) -> None:
    execute_plainly(connection.pgconn, "SET application_name TO 'plain'")
    execute_plainly(connection.pgconn, "SELECT 1")
    with pytest.raises(psycopg.errors.UndefinedTable):
        execute_plainly(connection.pgconn, "SELECT FROM nowhere")
