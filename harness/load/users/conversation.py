"""A PostgreSQL session for a greenlet: prepared statements over non-blocking libpq, waiting on gevent's hub.

psycopg's own wait is in C and would block every greenlet of the process; where psycopg sees gevent, it makes a selector
for every wait. A watcher that is kept costs a tenth of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from gevent import Timeout, get_hub
from psycopg import pq

READ, WRITE = 1, 2
"""Events, as libev counts them."""

CONNECT_S_MAX = 10.0
LOST = ("08", "57P01", "57P02", "57P03")
"""How the SQLSTATEs begin after which there is no session any more."""


class LostError(Exception):
    """The session is gone; what was asked last may have been done. ``sqlstate`` is the server's last word, or 08006."""

    def __init__(self, why: str, sqlstate: str = "08006") -> None:
        super().__init__(why)
        self.sqlstate = sqlstate


class RefusedError(Exception):
    """The server answered with an error, and has undone what was asked."""

    def __init__(self, sqlstate: str, message: str, detail: str) -> None:
        super().__init__(f"{sqlstate} {message}")
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail


class Conversation:
    """An open session in autocommit with ``statements`` (name to SQL with ``$1``) prepared, for one greenlet at a time.

    Raises ``LostError`` when the server does not let us in. ``close`` it in the end; a ``LostError`` has closed it.
    """

    def __init__(self, dsn: str, statements: Mapping[str, str]) -> None:
        self._hub = get_hub()
        self._reader: Any = None
        self._session = pq.PGconn.connect_start(dsn.encode())
        try:
            with Timeout(CONNECT_S_MAX, LostError("no connection in time", "08001")):
                self._connect()
            self._session.nonblocking = 1
            self._reader = self._hub.loop.io(self._session.socket, READ)
            for name, text in statements.items():
                self._session.send_prepare(name.encode(), text.encode())
                self._answer()
        except BaseException as error:
            raise self._ended(error) from error

    @property
    def backend(self) -> int:
        """The process of the server that serves it."""
        return self._session.backend_pid

    def ask(self, statement: str, parameters: Sequence[bytes | None]) -> list[str | None]:
        """The first row of a prepared statement's answer as text, empty for no row.

        Raises ``RefusedError`` for an error of the statement, ``LostError`` when the session ended.
        """
        try:
            self._session.send_query_prepared(statement.encode(), parameters)
            return self._answer()
        except RefusedError:
            raise
        except BaseException as error:
            raise self._ended(error) from error

    def close(self) -> None:
        """End it; again: nothing."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._session.finish()

    def _ended(self, error: BaseException) -> BaseException:
        """Whatever it was, in the middle of an answer nobody else could go on."""
        self.close()
        return LostError(str(error)) if isinstance(error, psycopg.OperationalError) else error

    def _connect(self) -> None:
        while (state := self._session.connect_poll()) != pq.PollingStatus.OK:
            if state == pq.PollingStatus.FAILED:
                raise LostError(self._session.get_error_message(), "08001")
            # A watcher for each turn: with several hosts the socket changes.
            watcher = self._hub.loop.io(self._session.socket, READ if state == pq.PollingStatus.READING else WRITE)
            try:
                self._hub.wait(watcher)
            finally:
                watcher.close()

    def _answer(self) -> list[str | None]:
        session = self._session
        while session.flush():
            # The server may not read on before we have read what it has for us.
            both = self._hub.loop.io(session.socket, READ | WRITE)
            try:
                self._hub.wait(both)
            finally:
                both.close()
            session.consume_input()
        failed: pq.abc.PGresult | None = None
        row: list[str | None] = []
        while True:
            while session.is_busy():
                self._hub.wait(self._reader)
                session.consume_input()
            result = session.get_result()
            if result is None:
                break
            if result.status == pq.ExecStatus.FATAL_ERROR:
                # What follows the first is that the connection is gone, and has no SQLSTATE.
                failed = result if failed is None else failed
            elif result.ntuples and not row:
                row = [_text(result.get_value(0, column)) for column in range(result.nfields)]
        if failed is not None:
            raise _error(failed)
        return row


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _error(result: pq.abc.PGresult) -> LostError | RefusedError:
    state, message, detail = (
        (result.error_field(field) or b"").decode()
        for field in (
            pq.DiagnosticField.SQLSTATE,
            pq.DiagnosticField.MESSAGE_PRIMARY,
            pq.DiagnosticField.MESSAGE_DETAIL,
        )
    )
    if not state or state.startswith(LOST):
        return LostError(message or "the connection was lost", state or "08006")
    return RefusedError(state, message, detail)
