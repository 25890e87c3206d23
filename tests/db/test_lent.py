"""Connections lent to programs of one run: ordinary psycopg code, stopped before each round trip."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import psycopg
import pytest
from greenlet import GreenletExit
from psycopg import pq, sql, waiting
from psycopg.rows import dict_row

from harness.db.controlled import ControlledConnection, connect_controlled
from harness.db.lent import AwaitingConnection, BlockingConnection, blocking
from harness.words.errors import UsageError

IDLE = pq.TransactionStatus.IDLE


@pytest.fixture
def owner(module_database: str) -> Iterator[ControlledConnection]:
    owner = connect_controlled(module_database)
    yield owner
    owner.pgconn.finish()


def drive(owner: ControlledConnection, program: Any) -> tuple[list[str], Any]:
    """Make all round trips of a coroutine; what each was about to send, and what the program returned."""
    sent = []
    try:
        trip = program.send(None)
        while True:
            sent.append(owner.take_statement())
            try:
                answer = waiting.wait(trip.generator, owner.pgconn.socket)
            except psycopg.Error as error:
                trip = program.throw(error)
            else:
                trip = program.send(answer)
    except StopIteration as stop:
        return sent, stop.value


def run(owner: ControlledConnection, function: Callable[[BlockingConnection], Any]) -> tuple[list[str], Any]:
    return drive(owner, blocking(BlockingConnection(owner), function))


def test_blocking_code_stops_before_each_round_trip(owner: ControlledConnection) -> None:
    def program(connection: BlockingConnection) -> int:
        (one,) = connection.execute("SELECT 1").fetchone() or (0,)
        (two,) = connection.execute(sql.SQL("SELECT {}").format(2)).fetchone() or (0,)
        return int(one + two)

    assert run(owner, program) == (["SELECT 1", "SELECT 2"], 3)


def test_nothing_is_sent_before_the_round_trip_is_made(owner: ControlledConnection) -> None:
    program = blocking(BlockingConnection(owner), lambda connection: connection.execute("BEGIN"))
    trip = program.send(None)
    assert owner.pgconn.transaction_status == IDLE
    waiting.wait(trip.generator, owner.pgconn.socket)
    assert owner.pgconn.transaction_status == pq.TransactionStatus.INTRANS
    program.close()


def in_transactions(connection: BlockingConnection) -> None:
    with connection.transaction():
        connection.execute("SELECT 1")
        with pytest.raises(psycopg.errors.DivisionByZero), connection.transaction():
            connection.execute("SELECT 1 / 0")
        with connection.transaction():
            connection.execute("SELECT 2")
    with connection.transaction(force_rollback=True):
        pass
    connection.commit()  # there is nothing to commit: no round trip
    connection.rollback()


async def in_awaited_transactions(connection: AwaitingConnection) -> None:
    async with connection.transaction():
        await connection.execute("SELECT 1")
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with connection.transaction():
                await connection.execute("SELECT 1 / 0")
        async with connection.transaction():
            await connection.execute("SELECT 2")
    async with connection.transaction(force_rollback=True):
        pass
    await connection.commit()
    await connection.rollback()


TOLD = [
    *("BEGIN", "SELECT 1", "SAVEPOINT", "SELECT 1 / 0", "ROLLBACK TO SAVEPOINT"),
    *("SAVEPOINT", "SELECT 2", "RELEASE SAVEPOINT", "COMMIT", "BEGIN", "ROLLBACK"),
]


def test_both_kinds_tell_their_transactions(owner: ControlledConnection) -> None:
    assert run(owner, in_transactions) == (TOLD, None)
    assert drive(owner, in_awaited_transactions(AwaitingConnection(owner))) == (TOLD, None)
    assert owner.pgconn.transaction_status == IDLE


def without_autocommit(connection: BlockingConnection) -> None:
    connection.autocommit = False
    connection.execute("SELECT 1")
    connection.commit()
    connection.execute("SELECT 2")
    connection.rollback()


async def awaited_without_autocommit(connection: AwaitingConnection) -> None:
    await connection.set_autocommit(False)
    await connection.execute("SELECT 1")
    await connection.commit()
    await connection.execute("SELECT 2")
    await connection.rollback()


def test_both_kinds_work_without_autocommit(owner: ControlledConnection) -> None:
    told = ["SELECT 1", "COMMIT", "SELECT 2", "ROLLBACK"]
    assert run(owner, without_autocommit) == (told, None)
    assert drive(owner, awaited_without_autocommit(AwaitingConnection(owner))) == (told, None)


def test_an_error_arrives_where_it_was_waited_for(owner: ControlledConnection) -> None:
    def program(connection: BlockingConnection) -> str:
        try:
            connection.execute("SELECT 1 / 0")
        except psycopg.errors.DivisionByZero:
            return "caught"
        return "not caught"

    assert run(owner, program) == (["SELECT 1 / 0"], "caught")


def test_what_a_program_raises_arrives_at_its_driver(owner: ControlledConnection) -> None:
    def program(connection: BlockingConnection) -> None:
        connection.execute("SELECT 1")
        raise LookupError("of its own")

    with pytest.raises(LookupError, match="of its own"):
        run(owner, program)


def test_what_one_run_sets_the_next_does_not_find(owner: ControlledConnection) -> None:
    def program(connection: BlockingConnection) -> Any:
        before = connection.autocommit, connection.execute("SELECT 1 AS one", prepare=True).fetchone()
        connection.row_factory = dict_row
        connection.autocommit = False
        return before

    assert run(owner, program) == run(owner, program) == (["SELECT 1 AS one"], (True, (1,)))


def test_a_copy_and_a_stream_are_made_of_round_trips(owner: ControlledConnection) -> None:
    def program(connection: BlockingConnection) -> list[Any]:
        with connection.transaction(force_rollback=True), connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE seen (id integer)")
            with cursor.copy("COPY seen FROM STDIN") as copy:
                copy.write_row((7,))
            cursor.executemany("INSERT INTO seen VALUES (%s)", [(8,), (9,)])
            return list(cursor.stream("SELECT id FROM seen"))

    sent, rows = run(owner, program)
    assert rows == [(7,), (8,), (9,)]
    assert sent[:2] == ["BEGIN", "CREATE TEMP TABLE seen (id integer)"]
    assert "INSERT INTO seen VALUES (%s)" in sent


def test_a_pipeline_works(owner: ControlledConnection) -> None:
    def program(connection: BlockingConnection) -> list[Any]:
        with connection.pipeline():
            cursors = [connection.execute("SELECT %s::int", [number]) for number in range(3)]
        return [cursor.fetchone() for cursor in cursors]

    assert run(owner, program)[1] == [(0,), (1,), (2,)]


def test_a_program_that_is_abandoned_cleans_up(owner: ControlledConnection) -> None:
    seen = []

    def program(connection: BlockingConnection) -> None:
        try:
            with connection.transaction():
                connection.execute("SELECT 1")
        except GreenletExit:
            seen.append("left")
            raise
        finally:
            with pytest.raises(psycopg.OperationalError, match="closed"):
                connection.execute("SELECT 2")

    coroutine = blocking(connection := BlockingConnection(owner), program)
    trip = coroutine.send(None)
    waiting.wait(trip.generator, owner.pgconn.socket)
    owner.pgconn.finish()
    coroutine.close()
    assert seen == ["left"]
    assert connection.lock.acquire(blocking=False)


async def abandoned(connection: AwaitingConnection, seen: list[str]) -> None:
    try:
        async with connection.transaction():
            await connection.execute("SELECT 1")
    finally:
        try:
            await connection.execute("SELECT 2")
        except psycopg.OperationalError as error:
            seen.append(str(error))


def test_a_coroutine_that_is_abandoned_cleans_up(owner: ControlledConnection) -> None:
    seen: list[str] = []
    coroutine = abandoned(AwaitingConnection(owner), seen)
    waiting.wait(coroutine.send(None).generator, owner.pgconn.socket)
    owner.pgconn.finish()
    coroutine.close()
    assert seen == ["the connection is closed"]


def test_a_program_that_goes_on_when_it_is_to_end_is_told_off(owner: ControlledConnection) -> None:
    def program(connection: BlockingConnection) -> None:
        try:
            connection.execute("SELECT 1")
        except GreenletExit:
            connection.execute("SELECT 2")

    coroutine = blocking(BlockingConnection(owner), program)
    coroutine.send(None)
    with pytest.raises(RuntimeError, match="was to end"):
        coroutine.close()


def test_closing_rolls_back_first(owner: ControlledConnection) -> None:
    def program(connection: BlockingConnection) -> bool:
        connection.execute("BEGIN")
        connection.close()
        return connection.closed

    assert run(owner, program) == (["BEGIN", "ROLLBACK"], True)


def test_outside_of_a_program_it_waits_as_any_other(owner: ControlledConnection) -> None:
    connection = BlockingConnection(owner)
    assert connection.execute("SELECT 1").fetchone() == (1,)

    def program(connection: BlockingConnection) -> Any:
        with connection.aside():
            return connection.execute("SELECT 2").fetchone()

    assert run(owner, program) == ([], (2,))
    assert owner.statement is None


def test_a_thread_of_the_program_may_not_use_it(owner: ControlledConnection) -> None:
    errors: list[UsageError] = []

    def program(connection: BlockingConnection) -> None:
        def use() -> None:
            try:
                connection.execute("SELECT 1")
            except UsageError as error:
                errors.append(error)

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()

    assert run(owner, program) == ([], None)
    assert [error.slug for error in errors] == ["another-thread"]


def test_a_program_sees_the_context_variables(owner: ControlledConnection) -> None:
    variable: ContextVar[int] = ContextVar("variable")
    variable.set(7)
    assert run(owner, lambda _: variable.get()) == ([], 7)


def test_the_session_goes_on_hearing_its_notices(owner: ControlledConnection) -> None:
    heard: list[bytes | None] = []
    owner.pgconn.notice_handler = lambda result: heard.append(result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY))
    notice = "DO $$ BEGIN RAISE INFO 'here'; END $$"
    run(owner, lambda connection: connection.execute(notice))
    drive(owner, AwaitingConnection(owner).execute(notice))
    assert heard == [b"here", b"here"]
