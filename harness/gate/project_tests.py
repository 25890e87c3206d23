"""The project's own tests, as a part of the gate: a command, how it ended, and the last that it said."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from harness.words.errors import CouldNotRun, ExitCode
from harness.words.secret import without_secrets_in
from harness.words.verdict import OF_CODE

LINES_KEPT = 40
"""Of what the tests say: the end, where pytest has its summary."""
LINE_MAX = 500
"""Characters that are kept of a line."""
END_S = 5.0
"""How long tests that are ended may take to end in good order, seconds."""

_CODES = {0: ExitCode.HOLDS, 1: ExitCode.VIOLATED, 5: ExitCode.NOT_EXERCISED}
"""As pytest ends: passed, failed, and nothing collected. Whatever else it ends with, they could not run."""


def run_tests(command: str, limit_s: float, echo: Callable[[str], None]) -> dict[str, Any]:
    """Run the command to its end, each line of what it says to ``echo``; nothing that it started is left.

    What is kept of the command and of its words is kept without secrets. Raises ``CouldNotRun`` for a command that is
    not there, and for one that takes longer than ``limit_s``.
    """
    told = without_secrets_in(command)
    try:
        process = subprocess.Popen(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise CouldNotRun(
            "no-tests",
            f"the tests cannot be started: {told}: {without_secrets_in(str(error))}",
            remedy="correct tests in [tool.harness.gate]",
        ) from error
    last: deque[str] = deque(maxlen=LINES_KEPT)
    reader = threading.Thread(target=_read, args=(process, last, echo), daemon=True)
    reader.start()
    try:
        status = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        raise CouldNotRun(
            "tests-too-slow",
            f"the tests did not end within {limit_s:.0f} s, which is half of the budget: {told}",
            remedy="give a greater --budget, or fewer tests",
        ) from None
    finally:
        _end(process)
        reader.join(END_S)
    code = _CODES.get(status, ExitCode.COULD_NOT_RUN)
    return {
        "format": "tests",
        "command": told,
        "verdict": OF_CODE[code],
        "exit_code": int(code),
        "ended": status,
        "last": list(last),
    }


def _read(process: subprocess.Popen[str], last: deque[str], echo: Callable[[str], None]) -> None:
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            text = line.rstrip("\n")
            last.append(without_secrets_in(text)[:LINE_MAX])
            echo(text)


def _end(process: subprocess.Popen[str]) -> None:
    """The command and all that it has started and that is still in its group."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)  # pytest says what it has come to
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
