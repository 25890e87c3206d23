"""What a server refuses, sorted into wrong options and servers that failed (wrong DSNs are in test_external.py)."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from harness.db.admin import refused
from harness.words.errors import ExitCode


@pytest.mark.parametrize(
    ("error", "slug", "code"),
    [
        (errors.InsufficientPrivilege("permission denied"), "no-privilege", ExitCode.USAGE),
        (errors.DuplicateDatabase("it exists"), "refused", ExitCode.USAGE),
        (errors.InvalidParameterValue("no such value"), "refused", ExitCode.USAGE),
        (errors.CantChangeRuntimeParam("not now"), "refused", ExitCode.USAGE),
        (errors.ObjectInUse("being accessed"), "server-failed", ExitCode.COULD_NOT_RUN),
        (errors.DiskFull("could not extend file"), "server-failed", ExitCode.COULD_NOT_RUN),
        (psycopg.OperationalError("server closed the connection unexpectedly\n\tThis"), "server-failed", 3),
        (psycopg.OperationalError(), "server-failed", ExitCode.COULD_NOT_RUN),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_a_refusal_is_one_line_of_the_right_kind(error: psycopg.Error, slug: str, code: int) -> None:
    seen = refused(error)
    assert (seen.slug, seen.exit_code) == (slug, code)
    assert "\n" not in str(seen)
