"""A server that someone else runs, reached by a DSN: we make our own databases there and touch nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg.conninfo import make_conninfo

from harness.db.admin import administration, parse_dsn
from harness.db.any_server import STRATEGY_MAJOR, AnyServer, Crash
from harness.db.locality import is_local
from harness.db.roles import SharedRoles
from harness.db.settings import Setting
from harness.words.errors import UsageError

OLDEST_MAJOR = 13
"""The first with ``DROP DATABASE ... WITH (FORCE)``."""

SESSION_DEFAULTS: Mapping[str, Setting] = {"jit": False, "timezone": "UTC"}
"""What makes runs repeatable and every role may set on its own database."""

SUPERUSER_DEFAULTS: Mapping[str, Setting] = {"deadlock_timeout": "10ms"}


class ExternalServer(AnyServer):
    """The server of a DSN. ``settings`` are set on the databases that we make there (ALTER DATABASE); one that only a
    server's start can set is refused with a UsageError when the first database is made. ``fsync=True`` demands a
    server that has it on.
    """

    def __init__(self, dsn: str, *, settings: Mapping[str, Setting] | None = None, fsync: bool = False) -> None:
        super().__init__()
        parse_dsn(dsn)
        self._dsn = dsn
        self._settings = settings or {}
        self._fsync = fsync
        self._roles = SharedRoles(self.dsn)

    def open(self) -> None:
        with administration(self._dsn) as connection:
            major = connection.info.server_version // 10000
            if major < OLDEST_MAJOR:
                raise UsageError(
                    "old-server",
                    f"the server is PostgreSQL {major}",
                    expected=f"{OLDEST_MAJOR} or newer",
                )
            # "15.8 (Debian 15.8-0+deb12u1)": what distributors add is not the version.
            self.version = (connection.info.parameter_status("server_version") or "").split(" ")[0]
            self.local = is_local(connection)
            row = connection.execute(
                "SELECT rolsuper, rolsuper OR rolcreatedb, rolname, current_setting('fsync') = 'on'"
                " FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
        assert row is not None
        self.superuser, may_create, role, syncs = row
        self.copies_files = not syncs and major >= STRATEGY_MAJOR
        if not may_create:
            raise UsageError(
                "no-privilege",
                f"the role {role!r} of the DSN may not make databases",
                remedy=f"ALTER ROLE {role} CREATEDB, or use another role",
            )
        if self._fsync and not syncs:
            raise UsageError("no-fsync", "the server runs with fsync off", expected="one that has it on")
        defaults = {**SESSION_DEFAULTS, **(SUPERUSER_DEFAULTS if self.superuser else {})}
        self.database_settings = {**defaults, **self._settings}

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._roles.close()

    def dsn(self, dbname: str | None = None) -> str:
        return self._dsn if dbname is None else make_conninfo(self._dsn, dbname=dbname)

    def ensure_roles(self, names: Iterable[str]) -> tuple[str, ...]:
        return self._roles.ensure(names)

    def crash(self, how: Crash) -> None:
        raise _not_ours(f"crash ({how})")

    def restart(self) -> None:
        raise _not_ours("restart")


def _not_ours(what: str) -> UsageError:
    return UsageError(
        "not-our-server",
        f"a {what} was asked of a server that the harness did not start",
        remedy="leave out --dsn so that the harness starts its own",
    )
