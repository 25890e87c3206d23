"""What every PostgreSQL server can do for a run, whoever started it."""

from __future__ import annotations

import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from types import TracebackType
from typing import Self

from psycopg import errors, sql

from harness.db.admin import administration
from harness.db.settings import Setting, spell
from harness.words.errors import HarnessError, UsageError

PREFIX = "harness_"
"""How every database that we make begins."""

STRATEGY_MAJOR = 15
"""The first PostgreSQL that can be told how to make a database; older ones always copy files."""


class Crash(StrEnum):
    """How a server goes down: by its own immediate shutdown, or with all its processes killed at once."""

    IMMEDIATE = "immediate"
    SIGKILL = "sigkill"


def random_name() -> str:
    """The name of a database that no other run has."""
    return PREFIX + secrets.token_hex(8)


class AnyServer(ABC):
    """A server to work on, as a context manager: open on the way in, closed on the way out.

    Only databases made through it are touched, and those that are left are dropped at the end.
    """

    version: str
    """As PostgreSQL prints it: ``18.6``."""
    local: bool
    """True when the backends are processes of this machine that we may signal and pin."""
    superuser: bool
    """What our role is."""

    def __init__(self) -> None:
        self.database_settings: Mapping[str, Setting] = {}
        """Set on every database that is made."""
        self.copies_files = False
        """Make databases by copying files: a third quicker, but with two checkpoints, so never with fsync on."""
        self._databases: set[str] = set()

    @abstractmethod
    def open(self) -> None:
        """Make it usable. Raises UsageError or CouldNotRun in one line, and then nothing is left behind."""

    @abstractmethod
    def dsn(self, dbname: str | None = None) -> str:
        """How to connect; without a name, to the database from which others are made."""

    @abstractmethod
    def crash(self, how: Crash) -> None:
        """Take the server down without a clean shutdown; its backends are gone on return. UsageError if not ours."""

    @abstractmethod
    def restart(self) -> None:
        """Start again after a crash, with recovery; or shut down cleanly and start. UsageError if not ours."""

    @abstractmethod
    def ensure_roles(self, names: Iterable[str]) -> tuple[str, ...]:
        """Create the roles of these that are missing, without login; returns those created."""

    def close(self) -> None:
        """Drop the databases that are left, all that can be. Raises the first refusal."""
        failures = []
        for name in sorted(self._databases):
            try:
                self.drop_database(name)
            except HarnessError as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def create_database(self, name: str | None = None, template: str | None = None) -> str:
        """Make a database, a copy of ``template`` (nobody may be connected to it) or an empty one; returns its name.

        Raises UsageError for a name that does not begin with ``harness_`` or is taken.
        """
        if name is None:
            name = random_name()
            # Nobody else has it: it is ours to drop, even when Ctrl-C hides how its creation ended.
            self._databases.add(name)
        elif not re.fullmatch(rf"{PREFIX}\w{{1,50}}", name, re.ASCII):
            raise UsageError(
                "database-name", f"the name {name!r} will not do", expected=f"{PREFIX} and letters or digits"
            )
        database = sql.Identifier(name)
        with administration(self.dsn()) as connection:
            source = sql.SQL("template0 ENCODING 'UTF8'") if template is None else sql.Identifier(template)
            strategy = sql.SQL(" STRATEGY FILE_COPY" if self.copies_files else "")
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(database, source) + strategy)
            self._databases.add(name)
            for setting, value in self.database_settings.items():
                alter = sql.SQL("ALTER DATABASE {} SET {} = {}")
                connection.execute(alter.format(database, sql.Identifier(setting), sql.Literal(spell(value))))
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database that was made here, with the sessions that are still on it. UsageError for any other."""
        if name not in self._databases:
            raise UsageError("database-name", f"the database {name!r} was not made by this run")
        drop = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
        with administration(self.dsn()) as connection:
            try:
                connection.execute(drop + sql.SQL(" WITH (FORCE)"))
            except errors.InsufficientPrivilege:
                # Someone whom we may not end is on it. The plain form waits some seconds for them.
                connection.execute(drop)
        self._databases.discard(name)

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """The DSN of a new database that is dropped on the way out."""
        name = self.create_database(template=template)
        try:
            yield self.dsn(name)
        finally:
            self.drop_database(name)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except HarnessError as failure:
            if error is None:
                raise
            # The first thing that went wrong is the one to show.
            error.add_note(f"and afterwards: {failure}")
