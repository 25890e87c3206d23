"""SQLAlchemy on the connection of a program: its Engine, whose Sessions and transactions are under the schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.db.lent import BlockingConnection
from harness.words.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine


def engine(connection: BlockingConnection) -> Engine:
    """An Engine that has ``connection`` alone. What the dialect asks when it first connects is in no schedule.

    Raises ``UsageError`` without SQLAlchemy, and for the connection of a coroutine.
    """
    if not isinstance(connection, BlockingConnection):
        raise UsageError(
            "no-engine",
            f"an Engine cannot be made on a {type(connection).__name__}",
            expected="the connection of a plain function",
            remedy="write the program as def, not async def",
        )
    try:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import StaticPool
    except ImportError as error:
        raise UsageError("no-sqlalchemy", "SQLAlchemy is not installed", remedy="pip install sqlalchemy") from error
    connection.autocommit = False
    made = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
    with connection.aside(), made.connect():
        pass
    return made
