"""One side of a comparison: a version of a subject in a database of its own, and the sessions that call it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from harness.compare.calls import Caller
from harness.compare.explained import Executed, explain
from harness.compare.plan import Plan
from harness.compare.stock import fill
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
        self._done: dict[str, int] = {}

    def open(self) -> None:
        """Connect the sessions."""
        for _ in range(SESSIONS):
            connection = self._exits.enter_context(connected(self.dsn, self.subject))
            caller = Caller(connection, self.subject)
            self._callers.append(caller)
            self._clocks.append(self._clock_of(caller.pid) if self._local else None)

    def close(self) -> None:
        """End the sessions; nothing is left of them."""
        self._exits.close()

    def call(self, operation: str, session: int) -> tuple[int, int | None]:
        """The next call of an operation: its latency and, if measured, its processor time, in nanoseconds.

        Raises ``CallFailed``.
        """
        number = self._done.get(operation, 0)
        self._done[operation] = number + 1
        asked, clock = self._plan.ask(operation, number), self._clocks[session]
        before = cpu_ns(clock)
        latency = self._callers[session].perform(operation, asked)
        after = cpu_ns(clock)
        return latency, None if before is None or after is None else after - before

    def explain(self, operation: str) -> list[Executed]:
        """What the next call of an operation executes. Raises what ``explained.explain`` raises."""
        return explain(self.dsn, self.subject, self._plan, operation, self._done.get(operation, 0))

    def warm(self, operation: str) -> None:
        """One call on each session: what is planned once is planned now. Raises ``CallFailed``."""
        for caller in self._callers:
            first = self._done.get(operation, 0)
            caller.perform(operation, self._plan.ask(operation, first))
            self._done[operation] = first + 1

    def _clock_of(self, pid: int) -> int | None:
        try:
            descriptor = os.open(Path(f"/proc/{pid}/schedstat"), os.O_RDONLY)
        except OSError:
            return None
        self._exits.callback(os.close, descriptor)
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
    with psycopg.connect(dsn, autocommit=True) as connection:
        fill(connection, subject, replace(plan.stock, ids=subject.ids))
