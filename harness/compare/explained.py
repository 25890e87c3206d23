"""What a call does inside: every statement of its functions with its plan, pages and WAL, as auto_explain tells it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from harness.compare.calls import Caller
from harness.compare.plan import Plan
from harness.marketplace.subject import Subject

_SETTINGS = {
    "log_min_duration": "0",
    "log_nested_statements": "on",
    "log_analyze": "on",
    "log_buffers": "on",
    "log_wal": "on",
    "log_timing": "off",
    "log_format": "json",
    "log_level": "notice",
}
_WARM = 6
"""Calls before the one that counts: PL/pgSQL makes five plans for given values before it may keep one for all."""

_PLACE = re.compile(r"(?:PL/pgSQL function (.+?) line (\d+) at )|(?:SQL function \"(.+?)\" statement (\d+))")


@dataclass(slots=True)
class Executed:
    """One statement of a function as it ran in one call: how often, and what it did itself, without what it called.

    ``nodes`` are those of its plan, each with its table and index: ``Index Scan on leads using leads_pkey``.
    """

    function: str
    line: int
    text: str
    times: int = 0
    buffers: int = 0
    wal_bytes: int = 0
    nodes: tuple[str, ...] = ()
    tables: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Told:
    depth: int
    buffers: int
    wal_bytes: int


@dataclass(slots=True)
class _Listener:
    """Puts the messages of auto_explain together: what is inside of a statement is told before it."""

    found: dict[tuple[str, str], Executed] = field(default_factory=dict)
    pending: list[_Told] = field(default_factory=list)

    def hear(self, message: psycopg.errors.Diagnostic) -> None:
        text, context = message.message_primary or "", message.context or ""
        _, plan, told = text.partition("plan:\n")
        if not plan:
            return
        explained = json.loads(told)
        root = explained["Plan"]
        places = list(_PLACE.finditer(context))
        depth = len(places)
        buffers, wal = _sum(root, "Shared Hit Blocks", "Shared Read Blocks"), _sum(root, "WAL Bytes")
        inside = [each for each in self.pending if each.depth > depth]
        self.pending = [each for each in self.pending if each.depth <= depth]
        self.pending.append(_Told(depth, buffers, wal))
        if not places:
            return
        nearest = [each for each in inside if each.depth == min(other.depth for other in inside)]
        function, line = places[0][1] or places[0][3], int(places[0][2] or places[0][4])
        query = " ".join(explained["Query Text"].split())
        entry = self.found.setdefault((function, query), Executed(function, line, query))
        entry.times += 1
        # A plan is told before all of its function's pages are counted for it: the difference can be below none.
        entry.buffers += max(0, buffers - sum(each.buffers for each in nearest))
        entry.wal_bytes += wal - sum(each.wal_bytes for each in nearest)
        entry.nodes = tuple(_node(each) for each in _nodes(root))
        entry.tables = frozenset(str(each["Relation Name"]) for each in _nodes(root) if "Relation Name" in each)


def explain(dsn: str, subject: Subject, plan: Plan, operation: str, first: int) -> list[Executed]:
    """What one call of an operation executes, in the order in which statements end.

    The calls before it are numbered from ``first``. Raises ``CallFailed`` for a refusal, and ``psycopg.Error`` on a
    server without auto_explain.
    """
    listener = _Listener()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("LOAD 'auto_explain'")
        for name, value in _SETTINGS.items():
            connection.execute(sql.SQL("SET {} = {}").format(sql.Identifier("auto_explain", name), sql.Literal(value)))
        if subject.client_role is not None:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(subject.client_role)))
        caller = Caller(connection, subject)
        for number in range(_WARM):
            caller.perform(operation, plan.ask(operation, first + number))
        connection.add_notice_handler(listener.hear)
        caller.perform(operation, plan.ask(operation, first + _WARM))
    return list(listener.found.values())


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for each in node.get("Plans", ()):
        yield from _nodes(each)


def _node(node: Mapping[str, Any]) -> str:
    text = str(node["Node Type"])
    if "Relation Name" in node:
        text += f" on {node['Relation Name']}"
    if "Index Name" in node:
        text += f" using {node['Index Name']}"
    return text


def _sum(node: Mapping[str, Any], *keys: str) -> int:
    return sum(int(node.get(key, 0)) for key in keys)
