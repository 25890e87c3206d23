"""Roles belong to a whole server, so that runs on one server share them: the first makes them, the last drops them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import psycopg
from psycopg import errors, sql

from harness.db.admin import administration, connect, refused

MARK = "made by the harness for a run; dropped by the last run that uses it"
"""The comment on a role that is ours to drop."""

IN_USE = 0x6861726E6573
"""The advisory lock that every run on the server holds shared while it uses the roles ("harnes" in ASCII)."""


def create_missing(connection: psycopg.Connection, names: Iterable[str]) -> tuple[str, ...]:
    """Create the roles that are missing, without login, marked as ours; returns those created.

    The connection must be in autocommit. A role that is no superuser is made a member, so that it can SET ROLE.
    """
    created = []
    for name in names:
        role = sql.Identifier(name)
        try:
            with connection.transaction():
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
                connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(role, sql.Literal(MARK)))
                if connection.info.parameter_status("is_superuser") != "on":
                    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
        except (errors.DuplicateObject, errors.UniqueViolation):
            continue
        created.append(name)
    return tuple(created)


class SharedRoles:
    """The roles of one run on a server that other runs may use at the same time."""

    def __init__(self, dsn: Callable[[], str]) -> None:
        self._dsn = dsn
        self._names: set[str] = set()
        self._connection: psycopg.Connection | None = None

    def ensure(self, names: Iterable[str]) -> tuple[str, ...]:
        """Create those that are missing; from now on no other run drops any of them."""
        wanted = tuple(names)
        if self._connection is None:
            self._connection = connect(self._dsn())
        try:
            if not self._names:
                self._connection.execute("SELECT pg_advisory_lock_shared(%s)", [IN_USE])
            self._names.update(wanted)
            return create_missing(self._connection, wanted)
        except psycopg.Error as error:
            raise refused(error) from error

    def close(self) -> None:
        """Drop the roles that a run of ours made, if no other run uses them now."""
        if self._connection is None:
            return
        self._connection.close()
        self._connection = None
        with administration(self._dsn()) as connection:
            alone = connection.execute("SELECT pg_try_advisory_lock(%s)", [IN_USE]).fetchone()
            if alone != (True,):
                return
            ours = connection.execute(
                "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) AND shobj_description(oid, 'pg_authid') = %s",
                [sorted(self._names), MARK],
            ).fetchall()
            for (name,) in ours:
                try:
                    connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
                except errors.DependentObjectsStillExist:
                    # Something outside this run grants to it (a database of a run that was killed): it stays for them.
                    continue
