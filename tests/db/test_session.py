"""One session, advanced by hand: where it stops, what it says of itself, how it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.db.controlled import ControlledConnection
from harness.db.session import ClientSession
from harness.db.stage import PostgresStage, Program
from harness.words.errors import CouldNotRun
from harness.words.stage import CLIENT_POINT, SessionState

from .bank import Bank

READY, RUNNING, BLOCKED, DONE = SessionState


@pytest.fixture(scope="module")
def bank(module_database: str, server: AnyServer) -> Iterator[Bank]:
    with Bank(module_database, local=server.local) as bank:
        bank.define("""
            CREATE FUNCTION calls_another() RETURNS integer LANGUAGE plpgsql AS $$
            BEGIN
              RETURN take(1, 1);
            END $$
        """)
        bank.define("INSERT INTO account SELECT id, 15 FROM generate_series(1, 3) AS id")
        yield bank


@pytest.fixture
def stage(bank: Bank) -> Iterator[PostgresStage]:
    with PostgresStage(bank.dsn, local=bank.local) as stage:
        yield stage


class Client:
    """A program that keeps what it was told."""

    def __init__(self, *statements: Any, parameters: tuple[Any, ...] = ()) -> None:
        self.told: list[Any] = []
        self._statements = statements
        self._parameters = parameters

    async def __call__(self, connection: ControlledConnection) -> None:
        for statement in self._statements:
            try:
                cursor = await connection.execute(statement, self._parameters or None)
                self.told.append((await cursor.fetchone() or (None,))[0] if cursor.description else None)
            except psycopg.Error as error:
                self.told.append(error.sqlstate)


def put(stage: PostgresStage, program: Program, **entries: frozenset[int]) -> ClientSession:
    stage.set_scene([program], entries)
    (session,) = stage.actors
    assert isinstance(session, ClientSession)
    return session


def step(session: ClientSession, steps: int = 1) -> None:
    session.advance(steps)
    stage = session.stage
    assert isinstance(stage, PostgresStage)
    deadline = time.monotonic() + 10
    while session.state is RUNNING:
        stage.pump(0.01)
        assert time.monotonic() < deadline


def test_it_stands_before_its_first_round_trip(stage: PostgresStage) -> None:
    session = put(stage, Client("SELECT take(1, 1)"))
    assert (session.state, session.point, session.at_gate) == (READY, CLIENT_POINT, False)
    assert (session.statement, session.sent) == ("SELECT take(1, 1)", "")


def test_a_step_goes_to_the_next_point(stage: PostgresStage) -> None:
    session = put(stage, Client("SELECT take(1, 1)"))
    seen = []
    while session.state is READY:
        step(session)
        seen.append((session.point, session.at_gate, session.passed.copy()))
    assert seen == [(1, True, [1]), (2, True, [2]), (3, True, [3]), (3, False, [])]
    assert session.state is DONE


def test_several_steps_pass_points(stage: PostgresStage) -> None:
    session = put(stage, Client("SELECT take(1, 1)"))
    step(session, 3)
    assert (session.point, session.at_gate, session.passed) == (3, True, [1, 2, 3])


def test_more_steps_than_there_are_end_with_the_statement(stage: PostgresStage) -> None:
    client = Client("SELECT take(1, 0)", "SELECT 7")
    session = put(stage, client)
    step(session, 50)
    assert (session.state, session.point, session.passed) == (READY, CLIENT_POINT, [1, 2, 3])
    step(session)
    assert (session.state, client.told[1]) == (DONE, 7)


def test_what_was_sent_is_kept_until_somebody_takes_it(stage: PostgresStage) -> None:
    session = put(stage, Client("SELECT take(1, 1)"))
    step(session)
    assert session.sent == "SELECT take(1, 1)"
    session.sent = ""
    step(session)
    assert session.sent == ""


def test_an_error_is_told_to_the_program_and_to_us(stage: PostgresStage) -> None:
    client = Client("SELECT 1 / 0", "SELECT 2")
    session = put(stage, client)
    step(session)
    assert (session.error, session.state, client.told) == ("22012", READY, ["22012"])


def test_a_program_without_a_round_trip_is_done_at_once(stage: PostgresStage) -> None:
    assert put(stage, Client()).state is DONE


def test_an_error_that_a_program_does_not_catch_is_ours(stage: PostgresStage) -> None:
    async def careless(connection: ControlledConnection) -> None:
        await connection.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        step(put(stage, careless))


def test_a_request_that_does_not_fit_into_the_socket_is_sent_in_pieces(stage: PostgresStage) -> None:
    client = Client("SELECT length(%s)", parameters=("x" * 20_000_000,))
    step(put(stage, client))
    assert client.told == [20_000_000]


def test_an_answer_that_comes_in_pieces_is_taken_whole(stage: PostgresStage) -> None:
    client = Client("SELECT repeat('x', 20000000)")
    step(put(stage, client))
    assert len(client.told[0]) == 20_000_000


def test_messages_of_the_program_are_not_points(stage: PostgresStage) -> None:
    client = Client("DO $$ BEGIN RAISE INFO '1 1'; RAISE WARNING 'x'; END $$", "SELECT 1")
    session = put(stage, client)
    step(session)
    assert (session.point, session.passed) == (CLIENT_POINT, [])


def test_a_connection_that_is_lost_is_an_error_of_every_statement(stage: PostgresStage) -> None:
    client = Client("SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1")
    session = put(stage, client)
    step(session)
    assert client.told == ["57P01", None], "the second was never sent"
    assert session.state is DONE


def test_the_next_run_has_a_new_connection_and_no_gate_stays_behind(bank: Bank, stage: PostgresStage) -> None:
    lost = put(stage, Client("SELECT pg_terminate_backend(pg_backend_pid())"))
    step(lost)
    client = Client("SELECT take(2, 0)")
    session = put(stage, client)
    step(session, 9)
    assert session.pid != lost.pid
    assert client.told == [15]
    ours = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    gates = bank.admin.execute(f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {ours}").fetchone()
    assert gates == (1,)


def test_abandoning_closes_the_connection_and_the_program(stage: PostgresStage) -> None:
    ended = []

    async def program(connection: ControlledConnection) -> None:
        try:
            await connection.execute("SELECT 1")
        finally:
            ended.append(connection.closed)

    session = put(stage, program)
    session.abandon()
    assert (ended, session.state) == ([True], DONE)


# -- steps that are none ------------------------------------------------------------------------------------


def test_a_plain_call_enters_its_function_in_the_same_step(stage: PostgresStage) -> None:
    session = put(stage, Client("SELECT take(1, 1)"), take=frozenset({1, 2, 3}))
    step(session)
    assert (session.entered, session.point, session.passed) == (1, 2, [2])


def test_begin_is_no_step(stage: PostgresStage) -> None:
    session = put(stage, Client("BEGIN", "SELECT take(1, 1)", "COMMIT"), take=frozenset({1, 2, 3}))
    step(session)
    assert (session.sent, session.entered, session.point) == ("BEGIN; SELECT take(1, 1)", 1, 2)
    step(session, 2)
    assert (session.point, session.statement) == (CLIENT_POINT, "COMMIT")


def test_a_call_that_comes_to_another_function_first_cannot_be_run(stage: PostgresStage) -> None:
    session = put(stage, Client("SELECT calls_another()"), calls_another=frozenset({99}))
    with pytest.raises(CouldNotRun, match=r"'SELECT calls_another\(\)' came to point 1 first"):
        step(session)


def test_the_next_stop_counts_the_point_that_is_only_entered(stage: PostgresStage) -> None:
    session = put(stage, Client("SELECT take(1, 1)"), take=frozenset({1, 2, 3}))
    assert session.next_stop == session.turn + 1
    session.advance(1)
    assert session.next_stop == session.turn + 2
    while session.state is RUNNING:
        stage.pump(0.01)
    assert session.next_stop == session.turn + 1
