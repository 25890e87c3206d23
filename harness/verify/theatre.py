"""Where trials are staged: one database, its sessions and controller on one core, one connection for start and end."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql

from harness.db.entry import entries, keeps_locks
from harness.db.pinning import pin
from harness.db.plan import Plan
from harness.db.stage import PostgresStage
from harness.marketplace.scenario import Scenario
from harness.verify.orders import Order
from harness.verify.trial import Trial

STEADY_PLANS = (
    "SET plan_cache_mode TO force_generic_plan",
    "SET enable_seqscan TO off",
    "SET enable_bitmapscan TO off",
    "SET max_parallel_workers_per_gather TO 0",
)
"""Plans as on large tables, the same from the first execution to the last: which rows a statement locks and in which
order must not depend on how many runs there were before: a bitmap is read in the order of the heap, where the rows of
a reset lie differently once in a while. A parallel worker has no gate."""


class Theatre:
    """Stages the scenarios of one order; a context manager. One stage for each isolation level that is asked for."""

    def __init__(self, order: Order, plan: Plan) -> None:
        self._order = order
        self._entries = entries(plan)
        self._keeps_locks = keeps_locks(plan)
        self._stages: dict[str, PostgresStage] = {}
        self._exits = ExitStack()
        self._pin = partial(_pin, order.core) if order.core is not None else None

    def __enter__(self) -> Self:
        self._connection: psycopg.Connection[Any] = self._exits.enter_context(
            psycopg.connect(self._order.dsn, autocommit=True)
        )
        if self._pin is not None:
            self._pin(os.getpid())
            self._pin(self._connection.info.backend_pid)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exits.__exit__(kind, error, traceback)

    def trial(self, scenario: Scenario) -> Trial:
        """A trial of ``scenario``; those of one isolation level share their sessions."""
        isolation = self.isolation_of(scenario)
        if isolation not in self._stages:
            stage = PostgresStage(
                self._order.dsn,
                local=self._order.local,
                prepare_session=self._preparation(isolation),
                pin=self._pin,
            )
            self._stages[isolation] = self._exits.enter_context(stage)
        entries = self._entries if isolation == "read committed" else {}
        return Trial(
            self._order.subject,
            scenario,
            self._stages[isolation],
            self._connection,
            entries,
            keeps_locks=self._keeps_locks,
        )

    def isolation_of(self, scenario: Scenario) -> str:
        return scenario.isolation or self._order.isolation

    def _preparation(self, isolation: str) -> tuple[str, ...]:
        """What every client session says first: its isolation level, then its role."""
        level = sql.SQL("SET default_transaction_isolation TO {}").format(sql.Literal(isolation))
        statements = [level.as_string(self._connection), *STEADY_PLANS]
        if role := self._order.subject.client_role:
            statements.append(sql.SQL("SET ROLE {}").format(sql.Identifier(role)).as_string(self._connection))
        return tuple(statements)


def _pin(core: int, pid: int) -> None:
    pin([pid], core)
