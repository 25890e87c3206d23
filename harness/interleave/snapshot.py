"""All rows and sequences of a database as they are now, to be put back as often as one likes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import tuple_row

from harness.interleave.rules import telling_what_was_refused


class Snapshot:
    """Copies of the tables, in the schema ``harness``. For tests: a copy of every row is made, and put back each time.

    ``connection`` is a superuser's in autocommit mode.
    """

    def __init__(self, connection: Connection[Any]) -> None:
        with connection.cursor(row_factory=tuple_row) as cursor:
            tables = cursor.execute(_TABLES).fetchall()
            sequences = cursor.execute(_SEQUENCES).fetchall()
        self._copies = [sql.Identifier("harness", f"start_{number}") for number, _ in enumerate(tables)]
        # Neither triggers nor foreign keys have a say in what is only put back.
        restore: list[sql.Composable] = [sql.SQL("BEGIN"), sql.SQL("SET LOCAL session_replication_role TO replica")]
        fill: list[sql.Composable] = []
        for copy, (schema, name, columns) in zip(self._copies, tables, strict=True):
            table = sql.Identifier(schema, name)
            connection.execute(sql.SQL("CREATE TABLE {} AS TABLE ONLY {}").format(copy, table))
            restore.append(sql.SQL("DELETE FROM ONLY {}").format(table))
            listed = sql.SQL(", ").join(map(sql.Identifier, columns))
            into = sql.SQL("({}) OVERRIDING SYSTEM VALUE").format(listed) if columns else sql.SQL("")
            fill.append(sql.SQL("INSERT INTO {} {} SELECT {} FROM {}").format(table, into, listed, copy))
        for schema, name, value, called in sequences:
            sequence = sql.Literal(sql.Identifier(schema, name).as_string(connection))
            setval = sql.SQL("SELECT pg_catalog.setval({}::regclass, {}, {})")
            fill.append(setval.format(sequence, sql.Literal(value), sql.Literal(called)))
        script = sql.SQL("; ").join([*restore, *fill, sql.SQL("COMMIT")])
        self._script = script.as_string(connection).encode()

    def restore(self, connection: Connection[Any]) -> None:
        """Put everything back."""
        connection.execute(self._script)

    def drop(self, connection: Connection[Any]) -> None:
        """Forget the copies."""
        for copy in self._copies:
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(copy))


@contextmanager
def snapshot(connection: Connection[Any]) -> Iterator[Snapshot]:
    """A snapshot that is put back and forgotten on the way out.

    Raises ``UsageError`` when the server refuses to make it.
    """
    with telling_what_was_refused("reset"):
        taken = Snapshot(connection)
    try:
        yield taken
    finally:
        if not connection.closed:
            taken.restore(connection)
            taken.drop(connection)


_TABLES = r"""
SELECT n.nspname, c.relname,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
              ORDER BY a.attnum)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't'
   AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'harness')
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY c.oid"""

_SEQUENCES = r"""
SELECT schemaname, sequencename, coalesce(last_value, start_value), last_value IS NOT NULL
  FROM pg_sequences
 WHERE schemaname NOT LIKE 'pg\_%' AND schemaname NOT IN ('information_schema', 'harness')
 ORDER BY 1, 2"""
