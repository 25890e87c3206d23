"""What the catalog has of a version: the text of its functions, its indexes and its triggers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from harness.db.routines import CATALOG_ONLY, in_schemas
from harness.marketplace.subject import Subject


@dataclass(frozen=True, slots=True)
class Catalog:
    """``sources`` by name and argument types, as error contexts have them; the others by their definition, to a table.

    An index is in ``indexes`` by its name, with its definition and its table.
    """

    sources: dict[str, str]
    indexes: dict[str, tuple[str, str]]
    triggers: dict[str, str]


def read_catalog(dsn: str, subject: Subject) -> Catalog:
    """The catalog of the database at ``dsn``, in the schemas of the subject."""
    schemas = [list(subject.schemas)]
    with psycopg.connect(dsn, autocommit=True) as connection:
        indexes = connection.execute(_INDEXES, schemas).fetchall()
        triggers = connection.execute(_TRIGGERS, schemas).fetchall()
        connection.execute(f"SET search_path = {CATALOG_ONLY}".encode())
        routines: list[Any] = in_schemas(connection, subject.schemas)
    return Catalog(
        {routine.identity.removeprefix(f"{routine.schema}."): routine.source for routine in routines},
        {name: (definition, table) for name, definition, table in indexes},
        dict(triggers),
    )


_INDEXES = "SELECT indexname, indexdef, tablename FROM pg_catalog.pg_indexes WHERE schemaname = ANY (%s) ORDER BY 1"
_TRIGGERS = """
SELECT pg_get_triggerdef(t.oid), c.relname FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ANY (%s) AND NOT t.tgisinternal ORDER BY 1
"""
