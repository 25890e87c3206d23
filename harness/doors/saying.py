"""What is said in the end: text on the standard output, and the exit code."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from harness.words.errors import CouldNotRun, ExitCode

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it (128 + SIGINT)."""


def width() -> int:
    """Columns of a report: the terminal's, within reason."""
    return min(shutil.get_terminal_size((100, 24)).columns, 160)


def colour() -> bool:
    """Whether the standard output shows colours."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def exit_code(document: Mapping[str, Any]) -> int:
    """An interrupted run can have found a violation or a hang; what it has not come to says nothing."""
    code = ExitCode(document["exit_code"])
    if document.get("interrupted") and code not in (ExitCode.VIOLATED, ExitCode.COULD_NOT_RUN, ExitCode.REGRESSION):
        return INTERRUPTED
    return code


def say(text: str) -> None:
    """Write a text and a line break. ``CouldNotRun`` when there is no room; that a reader has gone is no error."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError as error:
        # Python must not try to write the rest of it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise CouldNotRun("no-output", f"cannot write the output: {error.strerror}") from error
