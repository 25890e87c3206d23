"""Looks at the database while a run stands still, and at the lock that a session waits for.

It speaks on the controller's connection, which blocks nobody and is counted among nobody's blockers, and which knows
how to wait beside stopped backends. It sees what is committed: each look is a transaction of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import pq, sql

from harness.db.controlled import ControlledConnection
from harness.db.rows import Rows
from harness.db.session import ClientSession, Told
from harness.db.stage import PostgresStage

_PATIENCE = b"SET LOCAL lock_timeout = '1s'; "
"""A session may have locked a whole table: the look fails then, and the run goes on."""

_IDLE = pq.TransactionStatus.IDLE


@dataclass(frozen=True, slots=True)
class Awaited:
    """The lock that a session waits for: ``kind`` and ``mode`` in the words of ``pg_locks``.

    ``tuple`` is the kind of a row's, whatever it is that the wait for a row is a wait for. ``table`` has its schema
    before a dot; ``row`` are the row's columns, where it is a row that can be seen, and ``key`` the names of those in
    the primary key.
    """

    kind: str
    mode: str
    table: str = ""
    row: Mapping[str, Any] | None = None
    key: tuple[str, ...] = ()


class Observer:
    """One stage's. Every look raises psycopg's error when the server refuses it."""

    def __init__(self, stage: PostgresStage) -> None:
        self._stage = stage
        self._listened: dict[ControlledConnection, int] = {}

    def look(self, question: bytes) -> bytes:
        """The one text that a SELECT answers now."""
        return self._ask(question).get_value(0, 0) or b""

    def begins_transaction(self, session: int) -> bool:
        """Whether what the session sends next is the first statement of a transaction."""
        actor = self._stage.actors[session]
        return isinstance(actor, ClientSession) and actor.pgconn.transaction_status == _IDLE

    def take_told(self) -> list[tuple[int, Told]]:
        """What the sessions have told since the last time, each with the number of its session."""
        found = []
        for number, actor in enumerate(self._stage.actors):
            if isinstance(actor, ClientSession):
                found += [(number, told) for told in actor.told]
                actor.told.clear()
        return found

    def listen(self, session: int) -> None:
        """From now on, want to know which rows come back to the session's client."""
        actor = self._stage.actors[session]
        if isinstance(actor, ClientSession) and actor.connection.came_back is None:
            actor.connection.came_back = []
            self._listened[actor.connection] = session

    def take_rows(self) -> list[tuple[int, Rows]]:
        """What has come back since the last time, each with the number of the session."""
        found = []
        for connection, number in self._listened.items():
            if connection.came_back:
                found += [(number, rows) for rows in connection.came_back]
                connection.came_back.clear()
        return found

    def turn_away(self) -> None:
        """Sessions are used again for runs that nobody looks at: those need not note what comes back."""
        for connection in self._listened:
            connection.came_back = None
        self._listened.clear()

    def awaited(self, session: int) -> Awaited | None:
        """The lock that a session waits for; None for one that waits for none (any more)."""
        actor = self._stage.actors[session]
        if not isinstance(actor, ClientSession):
            return None
        answer = self._ask(_LOCKS.format(pid=sql.Literal(actor.pid)).as_bytes(None)).get_value(0, 0)
        locks = json.loads(answer) if answer else []
        wanted = next((lock for lock in locks if not lock["granted"]), None)
        if wanted is None:
            return None
        # Who waits for a transaction to end has the row's own lock, when it is for the row that it waits.
        held = [lock for lock in locks if lock["kind"] == "tuple"]
        lock = held[-1] if wanted["kind"] == "transactionid" and held else wanted
        table = f"{lock['schema']}.{lock['relation']}" if lock["relation"] else ""
        if lock["kind"] != "tuple":
            return Awaited(lock["kind"], lock["mode"], table)
        row = self._ask(
            sql.SQL("SELECT pg_catalog.to_json(t)::text FROM {} AS t WHERE t.ctid = {}::pg_catalog.tid")
            .format(sql.Identifier(lock["schema"], lock["relation"]), sql.Literal(f"({lock['page']},{lock['tuple']})"))
            .as_bytes(None)
        )
        cells = json.loads(row.get_value(0, 0) or b"null") if row.ntuples else None
        return Awaited("tuple", lock["mode"], table, cells, tuple(lock["key"] or ()))

    def _ask(self, question: bytes) -> pq.abc.PGresult:
        return self._stage.controller.query(_PATIENCE + question)


_LOCKS = sql.SQL(
    """
SELECT pg_catalog.json_agg(seen)::text FROM (
  SELECT l.locktype AS kind, l.mode, l.granted, n.nspname AS schema, c.relname AS relation, l.page, l.tuple,
    (SELECT pg_catalog.json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
      WHERE i.indrelid = l.relation AND i.indisprimary) AS key
  FROM pg_catalog.pg_locks l
  LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE l.pid = {pid} AND (NOT l.granted OR l.locktype = 'tuple')
) AS seen
"""
)
