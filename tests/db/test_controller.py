"""A stopped backend holds what it holds: whoever waits for the server beside it does not wait for ever."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.db.controller import Controller
from harness.words.errors import CouldNotRun

LOCKS = 5_000
READS_THE_LOCK_TABLE = b"DO $$ BEGIN LOOP PERFORM count(*) FROM pg_locks; END LOOP; END $$"
"""Like a deadlock check it holds the whole lock table while it looks, but does so again and again."""


@pytest.fixture
def controller(server: AnyServer, database: str) -> Iterator[Controller]:
    if not server.local:
        pytest.skip("NOT RUN: the backends are not of this host")
    with psycopg.connect(database) as connection:
        connection.execute("CREATE SCHEMA harness; CREATE FUNCTION harness.gate(int, int) RETURNS int RETURN 0")
    controller = Controller(database)
    yield controller
    controller.close()


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("sent", [False, True], ids=["asked", "sent"])
def test_a_backend_stopped_with_the_lock_table_is_let_go_on(controller: Controller, database: str, sent: bool) -> None:
    with ExitStack() as exits:
        reader, other = [exits.enter_context(closing(psycopg.connect(database, autocommit=True))) for _ in range(2)]
        other.execute("SELECT pg_advisory_lock(k) FROM generate_series(1, %s) AS k", [LOCKS])
        reader.pgconn.send_query(READS_THE_LOCK_TABLE)
        reader.pgconn.flush()
        exits.callback(reader.cancel_safe)
        exits.callback(controller.let_go, reader.info.backend_pid)  # before: a stopped one hears no cancel
        for turn in range(100):
            time.sleep(0.001 * (turn % 7))
            controller.stop(reader.info.backend_pid)
            if sent:
                controller.send(b"close_gate", (b"%d" % -turn,))
                controller.drain()
            else:
                controller.ask(b"close_gate", (b"%d" % -turn,))
            if controller.rescues:
                break
            controller.let_go(reader.info.backend_pid)
        assert controller.rescues >= 1
        while state_of(reader.info.backend_pid) != "T":  # stopped again, as soon as the signal is there
            time.sleep(0.001)
        controller.ask(b"leave_all_gates", ())


def test_a_backend_that_ended_while_it_was_stopped_is_no_trouble(controller: Controller, database: str) -> None:
    with psycopg.connect(database) as connection:
        pid = connection.info.backend_pid
        controller.stop(pid)
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
        while controller.ask(b"terminate", (b"%d" % pid,)).get_value(0, 0) != b"t":
            pass
        controller.let_go(pid)


def test_errors_are_told(controller: Controller) -> None:
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        controller.ask(b"cancel", (b"x",))
    controller.send(b"cancel", (b"x",))
    with pytest.raises(CouldNotRun, match="the controller could not open a gate"):
        controller.drain()
    controller.ask(b"leave_all_gates", ())
