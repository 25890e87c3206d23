"""Pages and bytes per call, from pg_stat_statements, read from outside between two batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors

from harness.db.any_server import AnyServer

_TOPLEVEL_MAJOR = 14
"""The first PostgreSQL that tells statements of clients from those inside functions."""

_COUNTED = """
SELECT d.datname, coalesce(sum(s.shared_blks_hit + s.shared_blks_read), 0)::bigint,
       coalesce(sum(s.wal_bytes), 0)::bigint, coalesce(sum(s.wal_fpi), 0)::bigint
  FROM pg_database d LEFT JOIN pg_stat_statements(false) s ON s.dbid = d.oid {toplevel}
 WHERE d.datname = ANY ($1) GROUP BY d.datname
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the statements of a database have done since the server started; images are of full pages in the WAL."""

    buffers: int
    wal_bytes: int
    page_images: int


class Counters:
    """Reads the counters of some databases."""

    def __init__(self, connection: psycopg.Connection[Any], databases: Sequence[str]) -> None:
        self._connection = connection
        self._databases = list(databases)
        toplevel = "AND s.toplevel" if connection.info.server_version // 10000 >= _TOPLEVEL_MAJOR else ""
        self._query = _COUNTED.format(toplevel=toplevel).replace("$1", "%s").encode()

    def read(self) -> dict[str, Counted]:
        """Database to its counters."""
        rows = self._connection.execute(self._query, [self._databases], prepare=True).fetchall()
        return {name: Counted(buffers, wal, images) for name, buffers, wal, images in rows}


@contextmanager
def counters(server: AnyServer, databases: Sequence[str]) -> Iterator[Counters | None]:
    """Counters in a database of their own, so that no side has more in its catalog; None where the server has none."""
    with server.database() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        counting: Counters | None = Counters(connection, databases)
        try:
            connection.execute("CREATE EXTENSION pg_stat_statements")
            connection.execute("SELECT count(*) FROM pg_stat_statements(false)")
        except (errors.ObjectNotInPrerequisiteState, errors.FeatureNotSupported, errors.UndefinedFile):
            # Not among the server's files, or not in its shared_preload_libraries.
            counting = None
        yield counting
