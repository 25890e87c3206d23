"""The stage on PostgreSQL: sessions at their gates, one controller, one thread, one selector."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from importlib import resources
from select import select
from time import perf_counter
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg import pq

from harness.db.controlled import ControlledConnection, RoundTrip, connect_controlled, execute_plainly, hang_up
from harness.db.controller import Controller
from harness.db.nemesis import Nemesis
from harness.db.reached import Reached
from harness.db.session import ClientSession
from harness.words.errors import CouldNotRun
from harness.words.fault import Strike
from harness.words.stage import FOREIGN, Actor, SessionState

READY, RUNNING, BLOCKED, DONE = SessionState

SPIN_S = 0.0002
"""Waits up to this long are spent spinning: waking up from a sleep costs as much as most steps."""

_NO_ENTRIES: Mapping[str, frozenset[int]] = MappingProxyType({})
_IDLE = pq.TransactionStatus.IDLE
_UNKNOWN = pq.TransactionStatus.UNKNOWN  # the connection is gone: the server has rolled back

_CROWDED_S = 0.0005
"""A yield that takes so long gave the core to strangers, seconds."""
_CROWDED_PUMPS = 500
"""For how many waits that is remembered."""

_yield = getattr(os, "sched_yield", lambda: None)

Program = Callable[[ControlledConnection], Coroutine[RoundTrip, Any, Any]]
"""A client program: an ``async def`` function of its connection."""


def install_gate(connection: psycopg.Connection[Any]) -> None:
    """Create the schema ``harness`` and its point function. Raises psycopg's error when the schema is there already."""
    text = resources.files("harness.db").joinpath("gate.sql").read_text(encoding="utf-8")
    connection.execute(text.encode())


class PostgresStage:
    """Sessions on one database; see ``harness.words.stage.Stage``.

    ``dsn`` must be a superuser's (gates and cancels are the controller's). ``prepare_session`` are statements that
    every session runs once when it is connected (a role, an isolation level). ``pin`` puts a process on the core that
    this one shares with all its backends; ``local`` says that the backends are processes of this host that may be
    signalled. ``reached`` notes what the sessions execute.
    """

    def __init__(
        self,
        dsn: str,
        *,
        local: bool,
        prepare_session: Sequence[str] = (),
        pin: Callable[[int], None] | None = None,
        reached: Reached | None = None,
    ) -> None:
        self._dsn = dsn
        self.can_freeze = local
        self._prepare_session = tuple(prepare_session)
        self._pin = pin
        self.controller = controller = Controller(dsn)
        self.deadlock_timeout_s = controller.deadlock_timeout_s
        self._unconfirmed = False
        if pin is not None:
            pin(controller.pid)
        self._pool: list[ClientSession] = []
        self._by_fd: dict[int, ClientSession] = {}
        self._index_of_pid: dict[int, int] = {}
        self.actors: list[Actor] = []
        self._crowded = 0
        self.entries = _NO_ENTRIES
        self.reached = Reached() if reached is None else reached

    # -- the life of a run ------------------------------------------------------------------------------------

    def set_scene(self, cast: Sequence[Program | Strike], entries: Mapping[str, frozenset[int]] = _NO_ENTRIES) -> None:
        """Put a program on a session for each member of the cast, and a nemesis in the place of each strike.

        ``entries`` (``harness.db.entry``) are the functions that a call enters without stopping before their first
        statement; only for transactions in READ COMMITTED.
        """
        self.entries = entries
        clients = 0
        actors: list[Actor] = []
        self._by_fd.clear()
        self._index_of_pid.clear()
        for index, member in enumerate(cast):
            if isinstance(member, Strike):
                actors.append(Nemesis(self, index, member))
                continue
            session = self._session(clients)
            clients += 1
            actors.append(session)
            self._by_fd[session.fd] = session
            self._index_of_pid[session.pid] = index
            session.start(member(session.connection))
        self.actors = actors

    def _session(self, number: int) -> ClientSession:
        while len(self._pool) <= number:
            self._pool.append(self._connect())
        session = self._pool[number]
        if session.connection.closed:
            self.ask(b"leave_gate", (session.gate(session.stop),))
            session = self._pool[number] = self._connect()
        return session

    def _connect(self) -> ClientSession:
        connection = connect_controlled(self._dsn)
        try:
            session = ClientSession(self, connection)
            for statement in self._prepare_session:
                execute_plainly(connection.pgconn, statement)
        except BaseException:
            connection.pgconn.finish()
            raise
        session.gate_base = int(self.ask(b"gate_base", (b"%d" % session.pid,)).get_value(0, 0) or b"")
        self.ask(b"close_gate", (session.gate(session.stop),))
        if self._pin is not None:
            self._pin(session.pid)
        return session

    def replace(self, number: int) -> ClientSession:
        """Another session in the place of session ``number``, for a client that loses its connection.

        Whoever asks for it sees to the old one's program (``detach``, ``adopt``) and to its end.
        """
        lost = self.actors[number]
        assert isinstance(lost, ClientSession)
        session = self._pool[self._pool.index(lost)] = self._connect()
        lost.connection.successor = session.connection
        self.cast_as(number, session)
        self._by_fd[session.fd] = session
        return session

    def cast_as(self, number: int, session: ClientSession) -> None:
        """Let a session act as number ``number`` of the run from now on."""
        self.actors[number] = session
        self._index_of_pid[session.pid] = number

    def bury(self, session: ClientSession) -> None:
        """Close a connection that has no client any more; back when its backend is gone, with all its locks."""
        del self._by_fd[session.fd]
        hang_up(session.pgconn)
        del self._index_of_pid[session.pid]
        session.state = DONE
        self.ask(b"leave_gate", (session.gate(session.stop),))

    @property
    def backends(self) -> tuple[int, ...]:
        """The process ids of the controller, and then of all sessions that are connected."""
        return (self.controller.pid, *(session.pid for session in self._pool))

    def session_in_transaction(self) -> int | None:
        """The first session that is not idle outside a transaction, after a run; None when all are."""
        for session in self._by_fd.values():
            if session.pgconn.transaction_status not in (_IDLE, _UNKNOWN):
                return self._index_of_pid[session.pid]
        return None

    def drop_sessions(self) -> None:
        """End every session: after a hang, and before another role or isolation level.

        Raises ``CouldNotRun`` where a backend does not end. Whatever is raised, all sessions have been abandoned.
        """
        sessions = {*self._pool, *self._by_fd.values()}  # a ghost is in no pool
        try:
            self.controller.drain()
            # Ended before their gates open: an abandoned function must not go on to its commit.
            for session in sessions:
                if self.ask(b"terminate", (b"%d" % session.pid,)).get_value(0, 0) != b"t":
                    raise CouldNotRun(
                        "backend-stays",
                        f"the backend {session.pid} of an abandoned session has not ended",
                        expected="a server that ends it within 10 s",
                        remedy="see what it does in pg_stat_activity, and the server's log",
                    )
            self.ask(b"leave_all_gates", ())
        finally:
            for session in sessions:
                session.abandon()
            self._pool.clear()
            self._by_fd.clear()
            self._index_of_pid.clear()
            self.actors = []

    def close(self) -> None:
        """End every session and the controller. Raises as ``drop_sessions`` does, after that."""
        try:
            with contextlib.suppress(psycopg.Error):
                self.drop_sessions()
        finally:
            self.controller.close()

    def __enter__(self) -> PostgresStage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what the engine asks for -----------------------------------------------------------------------------

    def pump(self, timeout_s: float) -> bool:
        """Wait for the server, at most ``timeout_s`` seconds, and feed what arrived to its sessions."""
        self.confirm()
        reads = []
        writes = []
        for session in self._by_fd.values():
            state = session.state
            if state is RUNNING or state is BLOCKED:
                reads.append(session.fd)
                if session.wants_write:
                    writes.append(session.fd)
        readable, writable = self._await(reads, writes, timeout_s)
        changed = False
        for fd in writable:
            session = self._by_fd[fd]
            session.on_writable()
            changed |= session.state is READY or session.state is DONE
        for fd in readable:
            session = self._by_fd[fd]
            session.on_readable()
            changed |= session.state is READY or session.state is DONE
        return changed

    def _await(self, reads: list[int], writes: list[int], timeout_s: float) -> tuple[list[int], list[int]]:
        """The descriptors that are ready, by the cheapest wait.

        Giving up the core lets the backends on it run until they sleep, and costs less than sleeping ourselves: on a
        shared core whatever a session had to say is there after one turn; elsewhere it arrives while we spin. When a
        turn takes long, strangers want the core too, and whoever sleeps gets it back sooner than whoever yields.
        """
        if self._crowded or timeout_s > SPIN_S:
            self._crowded = max(self._crowded - 1, 0)
            return select(reads, writes, (), timeout_s)[:2]
        began = perf_counter()
        while True:
            _yield()
            readable, writable, _ = select(reads, writes, (), 0.0)
            took = perf_counter() - began
            if took > _CROWDED_S + timeout_s:
                self._crowded = _CROWDED_PUMPS
            if readable or writable or self._pin is not None or took > timeout_s:
                return readable, writable

    def open_gate(self, session: ClientSession, stop: int) -> None:
        """Let a session at its gate go on to turn ``stop``: take the lock of that turn, give back the one it waits for.

        The answer is taken later: the session's own announcement is what we wait for.
        """
        self._unconfirmed = False
        self.controller.send(b"open_gate", (session.gate(stop), session.gate(session.stop)))
        session.stop = stop

    def move_gate(self, session: ClientSession, stop: int) -> None:
        """The same for a session that is about to run.

        A stop further away needs no waiting: until the controller has taken it, the old one holds. A nearer one does.
        """
        if stop > session.stop:
            self.open_gate(session, stop)
            return
        self.ask(b"open_gate", (session.gate(stop), session.gate(session.stop)))
        session.stop = stop

    def hold(self, session: int) -> None:
        """Make a blocked session stop at its next point."""
        actor = self.actors[session]
        assert isinstance(actor, ClientSession)
        if actor.stop != actor.next_stop:
            # It cannot go on before we do something else, and then the answer is taken first.
            self.open_gate(actor, actor.next_stop)
            self._unconfirmed = True

    def confirm(self) -> None:
        """What the controller was told about a blocked session has been done when this returns."""
        if self._unconfirmed:
            self._unconfirmed = False
            self.controller.drain()

    def blockers(self, sessions: Sequence[int]) -> Mapping[int, tuple[int, ...]]:
        """Who blocks whom, from ``pg_blocking_pids``; waiting for one's own gate is not being blocked."""
        pids = [self.actors[index].pid for index in sessions]  # type: ignore[attr-defined]
        result = self.ask(b"blockers", (b"{%s}" % b",".join(b"%d" % pid for pid in pids),))
        controller = self.controller.pid
        picture: dict[int, tuple[int, ...]] = {}
        for row in range(result.ntuples):
            waiter = self._index_of_pid[int(result.get_value(row, 0) or b"0")]
            pids_text = result.get_value(row, 1) or b""
            picture[waiter] = tuple(
                sorted(
                    {
                        self._index_of_pid.get(pid, FOREIGN)
                        for pid in map(int, pids_text.split())
                        if pid not in (controller, 0)
                    }
                )
            )
        return picture

    def cycle_in(self, detail: str) -> tuple[int, ...]:
        """The sessions that the server's report of a deadlock names: a line for each, its own process id first."""
        pids = re.findall(r"^\D*(\d+)", detail, re.MULTILINE)
        return tuple(self._index_of_pid.get(int(pid), FOREIGN) for pid in pids)

    def freeze(self, session: int) -> None:
        """Stop the backend of a session that waits for a lock."""
        self.controller.stop(self.actors[session].pid)  # type: ignore[attr-defined]

    def thaw(self, session: int) -> None:
        self.controller.let_go(self.actors[session].pid)  # type: ignore[attr-defined]

    def ask(self, name: bytes, parameters: Sequence[bytes]) -> pq.abc.PGresult:
        """Have the controller execute one of its statements."""
        return self.controller.ask(name, parameters)

    def picture(self) -> str:
        """Activities and locks of the sessions, one per line."""
        pids = b",".join(b"%d" % pid for pid in self._index_of_pid)
        result = self.ask(b"picture", (b"{%s}" % pids,))
        lines = []
        for row in range(result.ntuples):
            cells = [(result.get_value(row, column) or b"-").decode() for column in range(result.nfields)]
            cells[0] = f"session {self._index_of_pid.get(int(cells[0]), cells[0])}"
            lines.append("  ".join(cells))
        return "\n".join(lines)
