"""A subject that is not ours (``subject.toml``), and how the tests put any subject into a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from harness.db.any_server import AnyServer
from harness.db.migrate import apply
from harness.db.stage import install_gate
from harness.marketplace.subject import Subject, load_subject
from harness.resources import bundled

FOLDER = Path(__file__).parent


def subject_of(name: str) -> Subject:
    """``foreign`` is the one in this folder, every other name a bundled one's."""
    return load_subject(str(FOLDER) if name == "foreign" else name, bundled("sql"))


@contextmanager
def installed(subject: Subject, server: AnyServer) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to a database of its own, with the subject in it."""
    server.ensure_roles(subject.roles)
    with server.database() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        apply(connection, subject.migrations)
        install_gate(connection)
        yield connection
