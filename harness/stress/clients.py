"""Real connections for real clients: psycopg on asyncio, in the role of the subject's clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql

from harness.marketplace.subject import Subject

Connection = psycopg.AsyncConnection[Any]

_DIALLED_AT_ONCE = 20
"""Connections that are made at the same time: a socket has a queue, and a backend takes a moment to be born."""


@asynccontextmanager
async def clients(dsn: str, subject: Subject, count: int) -> AsyncIterator[list[Connection]]:
    """So many connections in autocommit mode, closed on the way out. Raises what psycopg raises."""
    dialling = asyncio.Semaphore(_DIALLED_AT_ONCE)

    async def dial() -> None:
        async with dialling:
            connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
        exits.push_async_callback(connection.close)
        if subject.client_role is not None:
            await connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(subject.client_role)))
        made.append(connection)

    made: list[Connection] = []
    async with AsyncExitStack() as exits:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(count):
                    group.create_task(dial())
        except ExceptionGroup as failures:
            # They all fail for one reason: one is told.
            raise failures.exceptions[0] from None
        yield made
