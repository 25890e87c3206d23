"""The controller's own conversation with the server: it opens gates, asks who blocks whom, stops and wakes backends.

A backend that is stopped (SIGSTOP) keeps whatever it holds. Waiting for a lock it holds nothing inside the server, but
at the moment of its deadlock check it holds the lock table: then the whole server stands still, every other database on
it too, until it goes on. The moment is avoided, which on a busy machine is not always possible: so whoever waits for
the server beside a stopped backend does not wait for ever, but lets it finish its check.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from select import select

import psycopg
from psycopg import generators, pq, waiting

from harness.words.errors import CouldNotRun

_STATEMENTS = {
    b"open_gate": b"SELECT pg_catalog.pg_advisory_lock($1), pg_catalog.pg_advisory_unlock($2)",
    b"close_gate": b"SELECT pg_catalog.pg_advisory_lock($1)",
    b"leave_gate": b"SELECT pg_catalog.pg_advisory_unlock($1)",
    b"blockers": b"SELECT pid, pg_catalog.array_to_string(pg_catalog.pg_blocking_pids(pid), ' ')"
    b" FROM pg_catalog.unnest($1::int[]) AS pid",
    b"cancel": b"SELECT pg_catalog.pg_cancel_backend($1)",
    b"kill": b"SELECT pg_catalog.pg_terminate_backend($1)",
    # False is also said of a backend that is gone already.
    b"terminate": b"SELECT CASE WHEN pg_catalog.pg_terminate_backend($1, 10000) THEN true"
    b" ELSE NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = $1) END",
    b"waits_for_us": b"SELECT pg_catalog.pg_backend_pid() = ANY (pg_catalog.pg_blocking_pids($1))",
    b"waits_since": b"SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', locktype, relation, page, tuple,"
    b" transactionid, classid, objid, mode, waitstart), ', ') FROM pg_catalog.pg_locks WHERE pid = $1 AND NOT granted",
    b"mark": b"SELECT pg_catalog.pg_advisory_lock($1), pg_catalog.pg_advisory_lock($2::int, $3::int)",
    b"unmark": b"SELECT pg_catalog.pg_advisory_unlock($1), pg_catalog.pg_advisory_unlock($2::int, $3::int)",
    b"leave_all_gates": b"SELECT pg_catalog.pg_advisory_unlock_all()",
    b"gate_base": b"SELECT harness.gate($1, 0)",
    b"picture": b"SELECT a.pid, a.state, a.wait_event_type, a.wait_event, l.locktype, l.mode, l.granted,"
    b" l.relation::regclass::text, l.transactionid::text, pg_catalog.left(a.query, 80)"
    b" FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_locks l USING (pid)"
    b" WHERE a.pid = ANY ($1::int[]) ORDER BY a.pid, l.granted, l.locktype, l.mode",
}

STUCK_S = 0.25
"""After so many seconds without an answer a stopped backend is under suspicion. An answer takes microseconds."""


class Controller:
    """A superuser's connection that speaks libpq directly; nothing that it says is part of the program under test."""

    def __init__(self, dsn: str) -> None:
        self.pgconn = waiting.wait_conn(generators.connect(dsn), timeout=30.0)
        self.pid = self.pgconn.backend_pid
        self.rescues = 0
        """How often a stopped backend had to be let go on because the server stood still."""
        self._pending = False
        self._stopped: dict[int, None] = {}
        for name, text in _STATEMENTS.items():
            result = self.pgconn.prepare(name, text)
            if result.status != pq.ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(result)
        timeout = self.pgconn.exec_(
            b"SELECT setting FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout'"
        ).get_value(0, 0)
        self.deadlock_timeout_s: float = int(timeout or b"1000") / 1000

    def close(self) -> None:
        self.pgconn.finish()

    def ask(self, name: bytes, parameters: Sequence[bytes]) -> pq.abc.PGresult:
        """Execute one of the controller's statements. Raises psycopg's error, CouldNotRun for an earlier statement."""
        self.drain()
        if self._stopped:
            self.pgconn.send_query_prepared(name, parameters)
            *_, result = self._results()
        else:
            result = self.pgconn.exec_prepared(name, parameters)
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise psycopg.errors.error_from_result(result)
        return result

    def query(self, text: bytes) -> pq.abc.PGresult:
        """Execute any text, in one transaction; the answer to its last statement. Raises psycopg's error."""
        self.drain()
        self.pgconn.send_query(text)
        *_, result = self._results()
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise psycopg.errors.error_from_result(result)
        return result

    def send(self, name: bytes, parameters: Sequence[bytes]) -> None:
        """Have a statement executed and do not wait for it: ``drain`` does, before the next one at the latest."""
        self.drain()
        self.pgconn.send_query_prepared(name, parameters)
        self._pending = True

    def drain(self) -> None:
        """Take the answer to what was sent last: it is there, or about to be. Raises CouldNotRun for an error."""
        if not self._pending:
            return
        self._pending = False
        failed = None
        for result in self._results():
            if result.status != pq.ExecStatus.TUPLES_OK:
                failed = result
        if failed is not None:
            raise CouldNotRun(
                "controller-failed",
                f"the controller could not open a gate: {psycopg.errors.error_from_result(failed)}",
                remedy="see the server's log",
            )

    def stop(self, pid: int) -> None:
        """SIGSTOP a backend of this host that waits for a lock."""
        os.kill(pid, signal.SIGSTOP)
        self._stopped[pid] = None

    def let_go(self, pid: int) -> None:
        """SIGCONT; nothing for a backend that has ended meanwhile."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        self._stopped.pop(pid, None)

    def _results(self) -> list[pq.abc.PGresult]:
        if self._stopped:
            self._wait_beside_the_stopped()
        results = []
        while (result := self.pgconn.get_result()) is not None:
            results.append(result)
        return results

    def _wait_beside_the_stopped(self) -> None:
        """Wait for an answer; when none comes, let the backend that was stopped last go on for a moment, then all.

        Stopped again they wait as before: a backend checks for deadlocks once in a wait.
        """
        connection = self.pgconn
        suspects: list[int] = []
        while connection.is_busy():
            if select((connection.socket,), (), (), STUCK_S)[0]:
                connection.consume_input()
                continue
            self.rescues += 1
            suspects = [*self._stopped] if suspects else [*self._stopped][-1:]
            for pid in suspects:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        if suspects:
            time.sleep(self.deadlock_timeout_s)
            for pid in suspects:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
