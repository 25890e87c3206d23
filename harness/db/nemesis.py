"""Who stands among the sessions of a run to strike another one: how each fault is done to a backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import psycopg
from psycopg import pq

from harness.db.controlled import execute_plainly
from harness.db.session import ClientSession
from harness.words.errors import CouldNotRun
from harness.words.fault import FaultKind, Strike
from harness.words.stage import FAULT_POINT, SessionState, Struck

if TYPE_CHECKING:
    from harness.db.stage import PostgresStage

READY, RUNNING, BLOCKED, DONE = SessionState
INTRANS = pq.TransactionStatus.INTRANS

_PATIENCE_S = 5.0
"""How long the server may take to deliver a signal, seconds; a strike that is not felt by then is lost."""


class Nemesis:
    """Its first step strikes its target, if there is something to strike.

    After a connection was lost with a statement under way, that statement is still to be scheduled: the session that
    was the client's stands in the place of the nemesis from then on, a *ghost* (``_cut_after_send``).
    """

    __slots__ = (
        "at_gate",
        "cycle",
        "entered",
        "error",
        "number",
        "passed",
        "point",
        "sent",
        "stage",
        "state",
        "strike",
        "struck",
    )

    def __init__(self, stage: PostgresStage, number: int, strike: Strike) -> None:
        self.stage = stage
        self.number = number
        self.strike = strike
        self.state = READY
        self.point = FAULT_POINT
        self.error = ""
        self.cycle: tuple[int, ...] = ()
        self.passed: list[int] = []
        self.at_gate = False
        self.sent = ""
        self.entered = 0
        self.struck: Struck | None = None

    def advance(self, steps: int) -> None:
        del steps
        self.state = DONE
        target, fault = self.strike.target, self.strike.fault
        session = self.stage.actors[target]
        assert isinstance(session, ClientSession)
        stood = Struck(target, str(fault), session.point, session.statement, session.state is BLOCKED)
        if _STRIKES[fault.kind](self, session):
            self.struck = stood


def _cancel(nemesis: Nemesis, session: ClientSession) -> bool:
    """Cancel the statement of a session, at its gate or in a lock wait; False for one that executes none."""
    stage = nemesis.stage
    session.passed.clear()
    gate = b""
    waited = b""
    if session.at_gate:
        _until_it_waits(nemesis, session)
        # A function can catch the cancel and go on to its next point: that gate must be closed before.
        session.at_gate = False
        gate = session.gate(session.stop)
        session.stop = session.turn + 1
        stage.ask(b"close_gate", (session.gate(session.stop),))
    elif session.state is not BLOCKED:
        return False
    else:
        if stage.can_freeze:
            stage.thaw(nemesis.strike.target)
        waited = _waits_since(stage, session)
    session.state = RUNNING
    stage.ask(b"cancel", (b"%d" % session.pid,))
    # The server delivers the signal when it likes; until then the session would still look blocked. A function that
    # caught it may go on to the next lock without a word: whoever still waits as before has not felt it.
    silent = not _until(stage, lambda: session.state is not RUNNING) and not session.passed
    if silent and (_waits_for_us(stage, session) if gate else _waits_since(stage, session) == waited != b""):
        raise _lost(nemesis, "has not felt its cancel")
    if gate:
        stage.ask(b"leave_gate", (gate,))
    return True


def _terminate(nemesis: Nemesis, session: ClientSession) -> bool:
    """End the backend wherever it is, with its transaction and its locks; its client goes on with another one."""
    if session.state is DONE:
        return False
    stage = nemesis.stage
    if session.state is BLOCKED and stage.can_freeze:
        stage.thaw(nemesis.strike.target)
    heir = stage.replace(nemesis.strike.target)
    program = session.detach()
    stage.ask(b"kill", (b"%d" % session.pid,))
    stage.bury(session)
    heir.adopt(program, psycopg.errors.AdminShutdown("terminating connection due to administrator command"))
    return True


def _cut_before_send(nemesis: Nemesis, session: ClientSession) -> bool:
    """The client's socket is closed when it is about to send; the server rolls back what was open."""
    if session.state is not READY or session.at_gate:
        return False
    stage = nemesis.stage
    heir = stage.replace(nemesis.strike.target)
    program = session.detach()
    stage.bury(session)
    heir.adopt(program, psycopg.OperationalError("the connection was lost before the statement was sent"))
    return True


def _cut_after_send(nemesis: Nemesis, session: ClientSession) -> bool:
    """The client never reads the answer to what it has sent, or is sending now.

    The server does not notice before it has an answer: it goes on, as a ghost. Its steps are the further steps of the
    nemesis; when its statement ends, its connection is closed, and what is open then is rolled back.
    """
    if session.state is DONE:
        return False
    stage = nemesis.stage
    heir = stage.replace(nemesis.strike.target)
    program = session.detach()
    stage.cast_as(nemesis.number, session)
    session.passed.clear()
    if session.state is READY and not session.at_gate:
        session.advance(1)
        nemesis.sent, session.sent = session.sent, ""
    heir.adopt(program, psycopg.OperationalError("the connection was lost before the answer"))
    return True


def _raise(nemesis: Nemesis, session: ClientSession) -> bool:
    """The point at which the session stands raises an error, which its function may catch."""
    return _suffer(nemesis, session, int(nemesis.strike.fault.sqlstate, 36))


def _limit_waiting(nemesis: Nemesis, session: ClientSession) -> bool:
    """Let the session take its next step here and now: whatever has to wait for a lock in it fails with 55P03.

    A wait that is given up after a millisecond is no wait to the engine, so nobody looks before it is over.
    """
    if not _suffer(nemesis, session, 0):
        return False
    if not _until(nemesis.stage, lambda: session.state is not RUNNING):
        raise _lost(nemesis, "has not ended the step that must not wait for a lock")
    if session.at_gate:
        _until_it_waits(nemesis, session)  # it has lifted the timeout then
    elif session.state is READY and session.pgconn.transaction_status == INTRANS:
        # No point of its own lifts it before the next statement of the transaction.
        execute_plainly(session.pgconn, "SELECT harness.lift_lock_timeout()")
    return True


def _suffer(nemesis: Nemesis, session: ClientSession, number: int) -> bool:
    """Have the session find at its point what ``number`` stands for (``harness.suffer`` in gate.sql)."""
    if not session.at_gate:
        return False
    stage = nemesis.stage
    mark = (session.gate(0), b"%d" % -session.pid, b"%d" % number)
    _until_it_waits(nemesis, session)
    stage.ask(b"mark", mark)
    session.suffers = session.at_gate = False
    session.passed.clear()
    session.state = RUNNING
    stage.open_gate(session, session.turn + 1)
    felt = _until(stage, lambda: session.suffers)
    stage.ask(b"unmark", mark)
    if not felt:
        raise _lost(nemesis, "has not come upon the fault at its point")
    return True


def _until_it_waits(nemesis: Nemesis, session: ClientSession) -> None:
    """A point announces itself before it waits. One that finds its gate open already looks for nothing."""
    deadline = time.monotonic() + _PATIENCE_S
    while not _waits_for_us(nemesis.stage, session):
        if time.monotonic() > deadline:
            raise _lost(nemesis, "does not wait at the point that it has announced")
        time.sleep(0)


def _waits_for_us(stage: PostgresStage, session: ClientSession) -> bool:
    return stage.ask(b"waits_for_us", (b"%d" % session.pid,)).get_value(0, 0) == b"t"


def _waits_since(stage: PostgresStage, session: ClientSession) -> bytes:
    """What lock it waits for, and since when; empty where it waits for none."""
    return stage.ask(b"waits_since", (b"%d" % session.pid,)).get_value(0, 0) or b""


def _until(stage: PostgresStage, condition: Callable[[], bool]) -> bool:
    """Let the sessions go on until ``condition`` holds, or patience ends; returns whether it holds."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        stage.pump(0.005)
    return True


def _lost(nemesis: Nemesis, what: str) -> CouldNotRun:
    return CouldNotRun(
        "fault-lost",
        f"session {nemesis.strike.target} {what}",
        expected=f"a server that delivers {nemesis.strike.fault} within {_PATIENCE_S:g} s",
        remedy="give the server time, or see its log",
    )


_STRIKES: Mapping[FaultKind, Callable[[Nemesis, ClientSession], bool]] = {
    FaultKind.CANCEL: _cancel,
    FaultKind.TERMINATE: _terminate,
    FaultKind.CUT_BEFORE_SEND: _cut_before_send,
    FaultKind.CUT_AFTER_SEND: _cut_after_send,
    FaultKind.ERROR: _raise,
    FaultKind.LOCK_TIMEOUT: _limit_waiting,
}
"""Each says whether there was anything to strike."""
