"""One controlled session: a coroutine of client code on one backend, and its gate."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Coroutine, Generator, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import psycopg
from psycopg import pq, sql
from psycopg.abc import PQGen
from psycopg.waiting import Ready, Wait

from harness.db.controlled import ControlledConnection, RoundTrip, execute_plainly
from harness.db.entry import BEGIN, entry
from harness.db.reached import Reached
from harness.words.errors import CouldNotRun
from harness.words.stage import CLIENT_POINT, DEADLOCK_DETECTED, SessionState, Struck

_POINT_SQLSTATE = b"HP001"
_MARK_SQLSTATE = b"HP002"
_STRUCK_SQLSTATE = b"HP003"
_SAW_SQLSTATE = b"HP004"
_FRAME = re.compile(r"^PL/pgSQL function ", re.MULTILINE)
_FIELD_SQLSTATE = pq.DiagnosticField.SQLSTATE
_FIELD_MESSAGE = pq.DiagnosticField.MESSAGE_PRIMARY
_READY_R = Ready.R
_READY_W = Ready.W
_WAIT_W = Wait.W

READY, RUNNING, BLOCKED, DONE = SessionState

CONNECTION_LOST = "08006"
"""What a client is told that libpq tells no SQLSTATE."""

_ENOUGH = 12
"""Points ahead at which a gate need not be moved further away."""


class Told(NamedTuple):
    """The values of the variables at a point (``Point.variables``), as JSON: one line, a list.

    ``depth`` is how many functions in PL/pgSQL are on the way from the client to there.
    """

    point: int
    depth: int
    values: str


class Gatekeeper(Protocol):
    """Who opens a session's gate and knows its fellows: the stage (``harness.db.stage``)."""

    entries: Mapping[str, frozenset[int]]
    reached: Reached

    def open_gate(self, session: ClientSession, stop: int) -> None: ...

    def move_gate(self, session: ClientSession, stop: int) -> None: ...

    def confirm(self) -> None: ...

    def cycle_in(self, detail: str) -> tuple[int, ...]: ...

    def bury(self, session: ClientSession) -> None: ...


class ClientSession:
    """A backend and the client program that runs on it. Reused from run to run; a run is one ``start``.

    Its gate is an advisory lock per turn (gate.sql): ``turn`` is the one that it announced last, ``stop`` the one whose
    lock the controller holds, so that the session comes to a halt there.
    """

    __slots__ = (
        "_coroutine",
        "_entering",
        "_failure",
        "_generator",
        "_opening",
        "_reached",
        "_round_trip",
        "_silenced",
        "at_gate",
        "connection",
        "cycle",
        "entered",
        "error",
        "fd",
        "gate_base",
        "passed",
        "pgconn",
        "pid",
        "point",
        "sent",
        "stage",
        "state",
        "statement",
        "stop",
        "struck",
        "suffers",
        "told",
        "turn",
        "wants_write",
    )

    def __init__(self, stage: Gatekeeper, connection: ControlledConnection) -> None:
        self.stage = stage
        self.connection = connection
        self.pgconn = connection.pgconn
        self.pid: int = self.pgconn.backend_pid
        self.fd: int = self.pgconn.socket
        self.state = DONE
        self.point = CLIENT_POINT
        self.error = ""
        self.cycle: tuple[int, ...] = ()
        self.statement = ""
        self.sent = ""
        self.entered = 0
        self.struck: Struck | None = None
        self.suffers = False
        """A point has told that it found the fault that was meant for it."""
        self.told: list[Told] = []
        """What points of telling copies have told; whoever put the copies there takes it away."""
        self.at_gate = False
        self.turn = 0
        self.stop = 1
        self.gate_base = 0
        self.passed: list[int] = []
        self.wants_write = False
        self._coroutine: Coroutine[RoundTrip, Any, Any] | None = None
        self._round_trip: PQGen[Any] | None = None
        self._generator: Generator[Any, Any, Any] | None = None
        self._entering: frozenset[int] | None = None
        self._opening = 0
        self._reached = stage.reached
        self._silenced = set(self._reached.marks)
        """The marks that it does not announce (any more)."""
        self._failure: CouldNotRun | None = None
        """What is wrong with an announcement: psycopg swallows what a notice handler raises."""
        self.pgconn.notice_handler = self._on_notice
        if unseen := self._reached.unseen:
            self._ask_for_marks(unseen, "1")
        execute_plainly(self.pgconn, "CREATE TEMP SEQUENCE harness_turn")
        execute_plainly(
            self.pgconn,
            "SELECT pg_catalog.set_config('harness.turn', "
            "'pg_temp.harness_turn'::pg_catalog.regclass::pg_catalog.oid::pg_catalog.text, false)",
        )

    def start(self, coroutine: Coroutine[RoundTrip, Any, Any]) -> None:
        """Put a client program on this session: it runs until it is about to make its first round trip."""
        self._coroutine = coroutine
        self.error = ""
        self.sent = ""
        self.entered = 0
        self.at_gate = False
        self._opening = 0
        if len(self._silenced) != len(self._reached.marks):
            # Between runs, when no transaction can undo it.
            self._ask_for_marks(self._reached.marks - self._silenced, "0")
            self._silenced |= self._reached.marks
        self._resume(None)

    def _ask_for_marks(self, marks: Iterable[int], asked: str) -> None:
        """``asked`` is 1 for marks that it must announce from now on, 0 for marks that it must not."""
        query = sql.SQL(
            "SELECT pg_catalog.set_config('harness.mark_' || mark, {}, false) FROM pg_catalog.unnest({}::int[]) AS mark"
        ).format(sql.Literal(asked), sql.Literal(sorted(marks)))
        execute_plainly(self.pgconn, query.as_string(self.connection))

    def detach(self) -> Coroutine[RoundTrip, Any, Any]:
        """Take its program away: what is under way here goes on for nobody, and the connection ends with it."""
        program, self._coroutine = self._coroutine, None
        assert program is not None
        return program

    def adopt(self, program: Coroutine[RoundTrip, Any, Any], error: psycopg.Error) -> None:
        """Go on with the program of a session that has lost its connection, and learns it by ``error``."""
        self._coroutine = program
        self.error = error.sqlstate or CONNECTION_LOST
        self._resume(None, error)

    def abandon(self) -> None:
        """Forget the program of a run that was given up, and the connection with it."""
        # First, so that what the program does to clean up (a rollback) finds a closed connection, not a round trip.
        self.pgconn.finish()
        if self._coroutine is not None:
            with contextlib.suppress(psycopg.Error):
                self._coroutine.close()
            self._coroutine = None
        self._generator = None
        self.state = DONE

    def advance(self, steps: int) -> None:
        """Take the next step: open the gate inside the function, or start the round trip on the client."""
        self.state = RUNNING
        self.passed.clear()
        if self.at_gate:
            self.at_gate = False
            self._reached.points.add(self.point)
            self.stage.open_gate(self, self.turn + steps)
        else:
            self._send(steps)

    def _send(self, steps: int) -> None:
        """Start the round trip that waits on the client. BEGIN is no step of its own, and entering a function none."""
        statement = self.statement
        self.sent = f"{self.sent}; {statement}" if self.sent else statement
        enters = entry(statement)
        self._opening = steps if enters == BEGIN else 0
        self._entering = self.stage.entries.get(enters) if enters is not None else None
        stop = self.turn + steps + (self._entering is not None)
        # Fewer steps than were given are always right: a gate on the way will do, unless a function is entered that
        # could go on for long.
        enough = min(steps, _ENOUGH) if enters is not None else 1
        if not self.next_stop - 1 + enough <= self.stop <= stop:
            self.stage.move_gate(self, stop)
        self.stage.confirm()
        self._generator = self._round_trip
        self._feed(None)

    @property
    def next_stop(self) -> int:
        """The turn of its next scheduling point."""
        return self.turn + 1 + (self._entering is not None)

    def gate(self, turn: int) -> bytes:
        """The key of the advisory lock of that turn, as libpq sends it (see harness.gate in gate.sql)."""
        return b"%d" % (self.gate_base + (turn & 0xFFFFFF))

    def on_readable(self) -> None:
        self._feed(_READY_R)

    def on_writable(self) -> None:
        self._feed(_READY_W)

    def _feed(self, ready: Ready | None) -> None:
        generator = self._generator
        assert generator is not None
        try:
            self.wants_write = bool(generator.send(ready) & _WAIT_W)
        except StopIteration as stop:
            self._generator = None
            self._resume(stop.value)
        except psycopg.Error as error:
            self._generator = None
            self.error = error.sqlstate or CONNECTION_LOST
            if self.error == DEADLOCK_DETECTED:
                self.cycle = self.stage.cycle_in(error.diag.message_detail or "")
            self._resume(None, error)
        if self._failure is not None:
            raise self._failure

    def _resume(self, value: Any, error: BaseException | None = None) -> None:
        """Give the program its answer; it goes on until the next round trip or its end."""
        coroutine = self._coroutine
        if coroutine is None:
            self.stage.bury(self)
            return
        try:
            trip = coroutine.send(value) if error is None else coroutine.throw(error)
        except StopIteration:
            self._coroutine = None
            self._entering = None
            self.state = DONE
            return
        self._round_trip = trip.generator
        self.statement = self.connection.take_statement()
        self._entering = None
        if self._opening and error is None:
            self._send(self._opening)
            return
        self.point = CLIENT_POINT
        self.state = READY

    def _on_notice(self, result: pq.abc.PGresult) -> None:
        sqlstate = result.error_field(_FIELD_SQLSTATE)
        message = result.error_field(_FIELD_MESSAGE) or b""
        if sqlstate != _POINT_SQLSTATE:
            if sqlstate == _MARK_SQLSTATE:
                self._reached.marks.add(int(message))
            elif sqlstate == _SAW_SQLSTATE:
                self.told.append(_told(int(message), result))
            self.suffers = self.suffers or sqlstate == _STRUCK_SQLSTATE
            return
        point, _, turn = message.partition(b" ")
        if self._failure is not None:
            return
        self.turn += 1
        if int(turn) != self.turn:
            self._failure = CouldNotRun(
                "turn-lost",
                f"session {self.pid} announced turn {turn.decode()} of its gate",
                expected=f"turn {self.turn}",
                remedy="the program under test must not drop temporary objects or settings (DISCARD, RESET ALL)",
            )
            return
        if self._entering is not None:
            if int(point) not in self._entering:
                self._failure = CouldNotRun(
                    "not-an-entry",
                    f"{self.statement!r} came to point {point.decode()} first",
                    expected="a point of the function that it calls",
                    remedy="a default argument or a view calls another function: report this",
                )
                return
            self._entering = None
            self.entered = int(point)
            self._reached.points.add(self.entered)
            return
        self.point = int(point)
        self.passed.append(self.point)
        if self.turn == self.stop:
            self.at_gate = True
            self.state = READY
        else:
            self._reached.points.add(self.point)


def _told(point: int, result: pq.abc.PGresult) -> Told:
    context = (result.error_field(pq.DiagnosticField.CONTEXT) or b"").decode(errors="replace")
    values = (result.error_field(pq.DiagnosticField.MESSAGE_DETAIL) or b"[]").decode(errors="replace")
    # One line is the announcing function's own.
    return Told(point, len(_FRAME.findall(context)) - 1, values)
