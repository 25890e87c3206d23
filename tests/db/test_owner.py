"""What a server says when it does not start, brought into one line."""

from __future__ import annotations

import pytest

from harness.db.owner import refusal
from harness.words.errors import ExitCode

STAMP = "2026-01-01 00:00:00.000 UTC [1] "


@pytest.mark.parametrize(
    ("said", "slug", "code", "line"),
    [
        (
            f'{STAMP}LOG:  could not bind IPv4 address "127.0.0.1": Address already in use\n'
            f"{STAMP}HINT:  Is another postmaster already running on port 1?\n"
            f"{STAMP}FATAL:  could not create any TCP/IP sockets\n",
            "port-in-use",
            ExitCode.COULD_NOT_RUN,
            'PostgreSQL could not start: could not bind IPv4 address "127.0.0.1": Address already in use; ',
        ),
        (
            f'{STAMP}LOG:  invalid value for parameter "jit": "x"\n{STAMP}FATAL:  configuration file contains errors\n',
            "setting",
            ExitCode.USAGE,
            'invalid value for parameter "jit": "x"; correct the setting',
        ),
        (
            "creating directory ... ok\n"
            f'running bootstrap script ... {STAMP}FATAL:  could not extend file "a": wrote only 4096 of 8192 bytes\n'
            f"{STAMP}PANIC:  cannot abort transaction 1\n",
            "disk-full",
            ExitCode.COULD_NOT_RUN,
            'PostgreSQL could not start: could not extend file "a": wrote only 4096 of 8192 bytes; free some space',
        ),
        (
            "Read-only file system: /x",
            "data-directory",
            ExitCode.COULD_NOT_RUN,
            "PostgreSQL could not start: Read-only",
        ),
        (
            f"{STAMP}LOG:  starting\n{STAMP}FATAL:  the cause\n{STAMP}FATAL:  what followed\n",
            "server-start",
            ExitCode.COULD_NOT_RUN,
            "PostgreSQL could not start: the cause [",
        ),
        (
            "initdb: error: no such user\n",
            "server-start",
            ExitCode.COULD_NOT_RUN,
            "PostgreSQL could not start: no such",
        ),
        ("", "server-start", ExitCode.COULD_NOT_RUN, "PostgreSQL could not start: it said nothing"),
    ],
    ids=["port", "setting", "disk", "read-only", "first cause", "initdb", "silence"],
)
def test_the_line_that_names_the_cause_is_shown(said: str, slug: str, code: ExitCode, line: str) -> None:
    error = refusal(said)
    assert (error.slug, error.exit_code) == (slug, code)
    assert str(error).startswith(line)
