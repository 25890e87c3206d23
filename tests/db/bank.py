"""A bank on a real server: accounts, functions with scheduling points, and runs of them under a schedule."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self

import psycopg
import pytest
from psycopg import pq, sql

from harness.db.controlled import ControlledConnection
from harness.db.pinning import choose_core, pin
from harness.db.stage import PostgresStage, install_gate
from harness.engine.execution import Chooser, Execution, Run
from harness.engine.recorder import Recorder
from harness.explore.sparse import Sparse
from harness.words.fault import Strike
from harness.words.history import EventKind, History, Result, Status
from harness.words.schedule import Switch

Operation = str | Callable[[ControlledConnection], Awaitable[Any]]
"""A statement, or client code of several."""
Sessions = Sequence[Sequence[Operation] | int | Strike]
"""The operations of each session; an int cancels what that session executes."""

SCHEMA = """
CREATE TABLE account (id integer PRIMARY KEY, balance integer NOT NULL);

CREATE FUNCTION take(p_account integer, p_amount integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE v_balance integer;
BEGIN
  IF harness.point(1) THEN END IF;
  SELECT balance INTO v_balance FROM account WHERE id = p_account FOR UPDATE;
  IF harness.point(2) THEN END IF;
  UPDATE account SET balance = v_balance - p_amount WHERE id = p_account;
  IF harness.point(3) THEN END IF;
  RETURN v_balance - p_amount;
END $$;

CREATE FUNCTION move(p_from integer, p_to integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF harness.point(11) THEN END IF;
  UPDATE account SET balance = balance - 1 WHERE id = p_from;
  IF harness.point(12) THEN END IF;
  UPDATE account SET balance = balance + 1 WHERE id = p_to;
  IF harness.point(13) THEN END IF;
END $$;
"""
"""Points: ``take`` stops before it locks (1), writes (2), returns (3); ``move`` before each update, and at its end."""


async def perform(first: ControlledConnection, operation: Operation) -> Result:
    connection = first.live
    try:
        if not isinstance(operation, str):
            return Result(Status.OK, value=(("answer", await operation(connection)),))
        cursor = await connection.execute(operation.encode())
        row = await cursor.fetchone() if cursor.description else None
        return Result(Status.OK, value=(("answer", row and row[0]),))
    except psycopg.Error as error:
        return Result(Status.UNKNOWN if connection.closed else Status.FAILED, error.sqlstate or "08006")


class BankTrial:
    """See ``harness.engine.campaign.Trial``: three accounts with 15 each."""

    def __init__(
        self, bank: Bank, sessions: Sessions, stage: PostgresStage, entries: Mapping[str, frozenset[int]], hang_s: float
    ) -> None:
        self.stage = stage
        self.layout: Literal["ASC", "DESC"] = "ASC"
        """How the rows lie in the table."""
        self._bank = bank
        self._entries = entries
        self._recorder = Recorder()
        self._execution = Execution(stage, hang_after_s=hang_s)
        strikes = (Strike(program) if isinstance(program, int) else program for program in sessions)
        self._cast = [
            program if isinstance(program, Strike) else self._recorder.program(number, program, perform)
            for number, program in enumerate(strikes)
        ]

    def run(self, chooser: Chooser) -> tuple[Run, History]:
        admin = self._bank.admin
        admin.execute("DELETE FROM account")
        fill = sql.SQL("INSERT INTO account SELECT id, 15 FROM generate_series(1, 3) AS id ORDER BY id {}")
        admin.execute(fill.format(sql.SQL(self.layout)))
        self._recorder.clear()
        try:
            self.stage.set_scene(self._cast, self._entries)
            run = self._execution.run(chooser, self._recorder)
        except BaseException:
            self.stage.drop_sessions()
            raise
        assert self.stage.session_in_transaction() is None
        final = tuple(admin.execute("SELECT id, balance FROM account ORDER BY id").fetchall())
        return run, History(self._recorder.calls(), None, final, tuple(run.events))

    def play(self, *switches: tuple[int, int]) -> tuple[Run, History]:
        strategy = Sparse(tuple(Switch(*switch) for switch in switches))
        assert strategy.begin()
        return self.run(strategy)


class Bank:
    """The bank of a test module, as a context manager: its database, and stages that stay between tests.

    All of it runs on one core, like a worker of a verification.
    """

    def __init__(self, dsn: str, *, local: bool) -> None:
        self.dsn = dsn
        self.local = local
        self._stages: dict[tuple[object, ...], PostgresStage] = {}

    def __enter__(self) -> Self:
        self.cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
        self._core = choose_core(0)
        self._pin(0)
        self.admin = psycopg.connect(self.dsn, autocommit=True)
        self._pin(self.admin.info.backend_pid)
        install_gate(self.admin)
        self.define(SCHEMA)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for stage in self._stages.values():
            stage.close()
        self.admin.close()
        if self.cores:
            os.sched_setaffinity(0, self.cores)

    def _pin(self, pid: int) -> None:
        pin([pid], self._core)

    def define(self, text: str) -> None:
        """Create what a test needs besides."""
        self.admin.execute(text.encode())

    def trial(
        self,
        sessions: Sessions,
        *,
        prepare: Sequence[str] = (),
        can_freeze: bool | None = None,
        pinned: bool = True,
        entries: Mapping[str, frozenset[int]] | None = None,
        hang_s: float = 10.0,
    ) -> BankTrial:
        """``can_freeze`` is by default what the server allows."""
        freezes = self.local if can_freeze is None else can_freeze
        key = (tuple(prepare), freezes, pinned)
        if key not in self._stages:
            self._stages[key] = PostgresStage(
                self.dsn, local=freezes, prepare_session=prepare, pin=self._pin if pinned and self.local else None
            )
        return BankTrial(self, sessions, self._stages[key], entries or {}, hang_s)

    def backends(self) -> int:
        """How many backends of this database there are besides our own and the controllers'."""
        rows = self.admin.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()").fetchall()
        return len(rows) - 1 - len(self._stages)


def told(run: Run, *kinds: EventKind) -> list[tuple[Any, ...]]:
    """The events of a run, of these kinds or all, as (step, session, word, SQLSTATE and peers)."""
    return [
        (event.step, event.session, event.kind.value, *([event.detail] if event.detail else []), *event.peers)
        for event in run.events
        if not kinds or event.kind in kinds
    ]


def trace(run: Run) -> list[int]:
    return [decision.chosen for decision in run.decisions]


def codes(history: History) -> list[str]:
    """How the calls of each session ended: a SQLSTATE or empty, by session."""
    return [call.result.code for call in sorted(history.calls, key=lambda call: (call.session, call.invoked))]


def lose(name: bytes, stage: PostgresStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this statement of the controller do nothing, and answer false."""
    ask = stage.ask

    def deaf(asked: bytes, parameters: Sequence[bytes]) -> pq.abc.PGresult:
        return ask(b"waits_for_us", (b"0",)) if asked == name else ask(asked, parameters)

    monkeypatch.setattr(stage, "ask", deaf)
