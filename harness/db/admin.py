"""Short administrative connections, and what goes wrong on them in one line without a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from harness.words.errors import CouldNotRun, HarnessError, UsageError

CONNECT_SECONDS_MAX = 10

FORMS = "postgresql://user@host:5432/database or 'host=... dbname=...'"


def parse_dsn(dsn: str) -> dict[str, str]:
    """The parts of a DSN, by libpq's names. Raises a UsageError that shows none of it: any may hold the password."""
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    except psycopg.ProgrammingError:
        raise UsageError("dsn-syntax", "the DSN cannot be read", expected=FORMS) from None
    if "@" in parts.get("host", ""):
        raise UsageError("dsn-syntax", "the DSN has two '@'", remedy="write the '@' of a user or password as %40")
    return parts


def connect(dsn: str) -> psycopg.Connection:
    """An autocommit connection. Raises UsageError when the DSN leads to no server that lets us in."""
    parts = parse_dsn(dsn)
    # On a server in SQL_ASCII psycopg would give bytes for text.
    wanted = {"connect_timeout": str(CONNECT_SECONDS_MAX)} | parts | {"client_encoding": "utf8"}
    try:
        return psycopg.connect(make_conninfo(**wanted), autocommit=True)
    except psycopg.OperationalError as error:
        raise unreachable(error, parts) from None


@contextmanager
def administration(dsn: str) -> Iterator[psycopg.Connection]:
    """A connection for a moment. What the server refuses on it becomes a UsageError or a CouldNotRun."""
    with connect(dsn) as connection:
        try:
            yield connection
        except psycopg.Error as error:
            raise refused(error) from error


def unreachable(error: psycopg.OperationalError, parts: dict[str, str]) -> UsageError:
    """Why a server did not let us in, in libpq's words without its questions, and never with the password."""
    # With several hosts psycopg tells of the last one first, and then of all.
    told = str(error).rpartition("All failures were:")[2].replace("connection failed: ", "")
    lines = [line.strip(" \t-") for line in told.splitlines()]
    said = "; ".join(line for line in lines if line and not line.startswith("Is the server"))
    if parts.get("password"):
        said = said.replace(parts["password"], "***")
    return UsageError("dsn-unreachable", f"the server of the DSN cannot be used: {said}", remedy="check the DSN")


def refused(error: psycopg.Error) -> HarnessError:
    """A statement of ours that the server refused."""
    said = error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, errors.InsufficientPrivilege):
        return UsageError(
            "no-privilege", f"the server refused: {said}", remedy="use a role with CREATEDB and CREATEROLE"
        )
    if isinstance(error, (psycopg.ProgrammingError, psycopg.DataError, errors.CantChangeRuntimeParam)):
        return UsageError("refused", f"the server refused: {said}")
    return CouldNotRun("server-failed", f"the server failed: {said}")
