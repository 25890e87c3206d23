"""What a run has left on the server: backends that nobody knows, locks that nobody should hold any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import psycopg

from harness.db.stage import PostgresStage

_QUERY = """
SELECT 'backend ' || pid || ' is still there (' || coalesce(state, 'starting') || ')'
FROM pg_catalog.pg_stat_activity
WHERE datname = pg_catalog.current_database() AND backend_type = 'client backend' AND pid <> ALL (%(known)s)
UNION ALL
SELECT 'an idle session holds ' || mode || ' on ' || coalesce(relation::pg_catalog.regclass::text, locktype)
FROM pg_catalog.pg_locks
WHERE pid = ANY (%(sessions)s) AND locktype <> 'virtualxid'
UNION ALL
SELECT 'the controller holds ' || count(*) || ' gates of ' || pg_catalog.cardinality(%(sessions)s) || ' sessions'
FROM pg_catalog.pg_locks
WHERE pid = %(controller)s AND locktype = 'advisory'
HAVING count(*) <> pg_catalog.cardinality(%(sessions)s)
UNION ALL
SELECT 'transaction ' || gid || ' is prepared and neither committed nor rolled back'
FROM pg_catalog.pg_prepared_xacts
WHERE database = pg_catalog.current_database()
"""


class Leaks:
    """Looks for them between two runs, on a database where nobody else is: ``connection`` and the stage alone.

    ``beside`` are the backends of other stages there, which have nothing to do with the run.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], stage: PostgresStage, beside: Callable[[], Iterable[int]] = tuple
    ) -> None:
        self._connection = connection
        self._stage = stage
        self._beside = beside

    def found(self) -> tuple[str, ...]:
        """Each leak in a few words; none is how it should be."""
        controller, *sessions = self._stage.backends
        known = [controller, *sessions, self._connection.info.backend_pid, *self._beside()]
        cursor = self._connection.execute(_QUERY, {"known": known, "sessions": sessions, "controller": controller})
        return tuple(text for (text,) in cursor.fetchall())
