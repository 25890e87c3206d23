"""One side of a comparison: a version of a subject in a database of its own, and the sessions that call it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
from psycopg import sql

from harness.compare.calls import Caller, CallFailed
from harness.compare.explained import Executed, explain
from harness.compare.plan import NEEDS, Plan, Values
from harness.compare.stock import fill, settle
from harness.compare.verdict import Measures
from harness.marketplace.subject import Subject
from harness.stress.arena import put_in_place

SESSIONS = 4
"""Of each side: where a process lies in memory makes it a little faster or slower for its whole life."""


class Side:
    """``name`` is base, candidate or control. Every session is a backend of its own in the role of the clients."""

    def __init__(self, name: str, subject: Subject, dsn: str, plan: Plan, *, local: bool) -> None:
        self.name = name
        self.subject = subject
        self.dsn = dsn
        self._plan = replace(plan, stock=replace(plan.stock, ids=subject.ids))
        self._local = local
        self._exits = ExitStack()
        self._callers: list[Caller] = []
        self._clocks: list[int | None] = []
        self._done = {operation: NEEDS[operation].before for operation in plan.operations}

    def open(self) -> None:
        """Connect the sessions."""
        for _ in range(SESSIONS):
            connection = self._exits.enter_context(connected(self.dsn, self.subject))
            caller = Caller(connection, self.subject)
            self._callers.append(caller)
            clock = opened_proc(self._exits, caller.pid, "schedstat") if self._local else None
            self._clocks.append(clock)

    @property
    def sessions(self) -> int:
        """How many there are to choose from for a call."""
        return SESSIONS

    def close(self) -> None:
        """End the sessions; nothing is left of them."""
        self._exits.close()

    def call(self, operation: str, session: int) -> Measures:
        """The next call of an operation: its latency and, if measured, its processor time, in nanoseconds.

        Raises ``CallFailed``.
        """
        asked, clock = self.next(operation), self._clocks[session]
        before = cpu_ns(clock)
        latency = self._callers[session].perform(operation, asked)
        after = cpu_ns(clock)
        return {"p50": latency, "cpu": None if before is None or after is None else after - before}

    def next(self, operation: str) -> Values:
        """The parameters of the next call of an operation."""
        number = self._done[operation]
        self._done[operation] += 1
        return self._plan.ask(operation, number)

    @property
    def pids(self) -> list[int]:
        """Of the backends."""
        return [caller.pid for caller in self._callers]

    def at_once(self, operation: str, pool: Executor) -> list[Future[int]]:
        """The next call of an operation, the same one on every session at one moment, each on a thread of ``pool``.

        Each comes to its latency, or raises ``CallFailed``.
        """
        asked, together = self.next(operation), Barrier(len(self._callers))

        def perform(caller: Caller) -> int:
            together.wait()
            return caller.perform(operation, asked)

        return [pool.submit(perform, caller) for caller in self._callers]

    def explain(self, operation: str) -> list[Executed]:
        """What the next call of an operation executes. Raises what ``explained.explain`` raises."""
        return explain(self.dsn, self.subject, self._plan, operation, self._done[operation])

    def warm(self, operation: str) -> None:
        """One call on each session: what is planned once is planned now. Raises ``CallFailed``."""
        for caller in self._callers:
            caller.perform(operation, self.next(operation))


def opened_proc(exits: ExitStack, pid: int, name: str) -> int | None:
    """The descriptor of a file of a process in /proc, closed by ``exits``; None where there is none."""
    try:
        descriptor = os.open(Path(f"/proc/{pid}/{name}"), os.O_RDONLY)
    except OSError:
        return None
    exits.callback(os.close, descriptor)
    return descriptor


def cpu_ns(descriptor: int | None) -> int | None:
    """The nanoseconds that a process was on a core, from its open schedstat (proc(5)); None without one."""
    return None if descriptor is None else int(os.pread(descriptor, 64, 0).split()[0])


@contextmanager
def connected(dsn: str, subject: Subject) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit mode, in the role of the subject's clients."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        if subject.client_role is not None:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(subject.client_role)))
        yield connection


def make_ready(dsn: str, subject: Subject, plan: Plan) -> None:
    """Put a subject and its stock into an empty database. Raises ``UsageError``."""
    put_in_place(dsn, subject)
    own = replace(plan, stock=replace(plan.stock, ids=subject.ids))
    with psycopg.connect(dsn, autocommit=True) as connection:
        fill(connection, subject, own.stock)
        with connected(dsn, subject) as calling:
            caller = Caller(calling, subject)
            for lot in own.stock.lots:
                # Who is refused here is refused in its first round, and there it is told.
                with suppress(CallFailed):
                    for number in range(NEEDS[lot.operation].before):
                        caller.perform(lot.operation, own.ask(lot.operation, number))
        settle(connection, subject)
