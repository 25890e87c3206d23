"""``harness db``: a server that stays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from harness.db.detached import psql_detached, start_detached, state_directory, status_detached, stop_detached
from harness.doors.saying import say
from harness.words.errors import ExitCode


def start_database(choice: str, port: int | None) -> int:
    """Start a server that outlives us and tell its DSN; returns the exit code."""
    server = start_detached(state_directory(Path.cwd()), choice, port=port)
    say(f"PostgreSQL {server.version} ({server.source}) runs.")
    say(f"  --dsn '{server.dsn}'")
    say("  harness db psql | harness db stop")
    return ExitCode.HOLDS


def stop_database() -> int:
    """Stop it, if there is one; returns the exit code."""
    stopped = stop_detached(state_directory(Path.cwd()))
    say("No server was running." if stopped is None else f"PostgreSQL {stopped.version} is stopped and removed.")
    return ExitCode.HOLDS


def database_status() -> int:
    """Tell where it is; returns the exit code."""
    running = status_detached(state_directory(Path.cwd()))
    if running is None:
        say("No server runs; harness db start")
        return ExitCode.COULD_NOT_RUN
    say(f"PostgreSQL {running.version} ({running.source}) runs since {running.started_at}, pid {running.postmaster}.")
    say(f"  --dsn '{running.dsn}'")
    return ExitCode.HOLDS


def psql(arguments: Sequence[str]) -> NoReturn:
    """Become psql, to which Ctrl-C means something else."""
    command = psql_detached(state_directory(Path.cwd()), arguments)
    os.execv(command[0], command)
