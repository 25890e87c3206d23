"""Stages on one database: sessions and controller on one core, and one connection for what is done between runs."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql

from harness.db.pinning import pin
from harness.db.reached import Reached
from harness.db.stage import PostgresStage

STEADY_PLANS = (
    "SET plan_cache_mode TO force_generic_plan",
    "SET enable_seqscan TO off",
    "SET enable_bitmapscan TO off",
    "SET max_parallel_workers_per_gather TO 0",
)
"""Plans as on large tables, the same from the first execution to the last: which rows a statement locks and in which
order must not depend on how many runs there were before: a bitmap is read in the order of the heap, where the rows of
a reset lie differently once in a while. A parallel worker has no gate."""


class Stages:
    """One stage for each isolation level and role that is asked for; a context manager.

    ``core`` is the processor to share with the backends while it is entered, None to leave the choice to the system;
    ``role`` is what client sessions become for whom no other is asked. ``marks`` is how many marks the functions have,
    and ``reached`` what of them the sessions have executed so far.
    """

    def __init__(self, dsn: str, *, local: bool, core: int | None, role: str = "", marks: int = 0) -> None:
        self._dsn = dsn
        self._local = local
        self._role = role
        self.reached = Reached(marks)
        self._stages: dict[tuple[str, str], PostgresStage] = {}
        self._exits = ExitStack()
        self._core = core
        self._pin = partial(_pin, core) if core is not None else None

    def __enter__(self) -> Self:
        self.connection: psycopg.Connection[Any] = self._exits.enter_context(
            psycopg.connect(self._dsn, autocommit=True)
        )
        if self._pin is not None:
            if hasattr(os, "sched_getaffinity"):
                self._exits.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
            self._pin(0)
            self._pin(self.connection.info.backend_pid)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exits.__exit__(kind, error, traceback)

    def at(self, isolation: str, role: str | None = None) -> PostgresStage:
        """The stage whose sessions run their transactions at this level, and in this role."""
        key = isolation, self._role if role is None else role
        if key not in self._stages:
            stage = PostgresStage(
                self._dsn,
                local=self._local,
                prepare_session=self._preparation(*key),
                pin=self._pin,
                reached=self.reached,
            )
            self._stages[key] = self._exits.enter_context(stage)
        return self._stages[key]

    def backends(self) -> list[int]:
        """The process ids of all stages' controllers and sessions."""
        return [pid for stage in self._stages.values() for pid in stage.backends]

    def _preparation(self, isolation: str, role: str) -> tuple[str, ...]:
        """What every client session says first: its isolation level, then its role."""
        level = sql.SQL("SET default_transaction_isolation TO {}").format(sql.Literal(isolation))
        statements = [level.as_string(self.connection), *STEADY_PLANS]
        if role:
            statements.append(sql.SQL("SET ROLE {}").format(sql.Identifier(role)).as_string(self.connection))
        return tuple(statements)


def _pin(core: int, pid: int) -> None:
    pin([pid], core)
