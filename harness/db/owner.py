"""The owner's end of the line to a supervisor (``harness.db.supervisor``)."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.db import supervisor
from harness.db.leftovers import reclaim
from harness.db.supervisor import Plan
from harness.words.errors import CouldNotRun, HarnessError, UsageError


@dataclass(frozen=True, slots=True)
class Facts:
    """What a supervisor tells of its server: its directory, and the pid of the postmaster that it started last."""

    directory: Path
    pid: int


class Supervised:
    """A supervisor that lives until ``end`` or until this process dies.

    Making one starts PostgreSQL and waits until it is ready. Every method raises CouldNotRun (for a refused setting
    UsageError) in one line, and by then nothing is left behind.
    """

    def __init__(self, plan: Plan) -> None:
        # A session of its own: Ctrl-C in the terminal is the owner's business, and reaches it alone.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="ascii",
            bufsize=1,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._facts: Facts | None = None
        self.tell(dict(plan))

    @property
    def facts(self) -> Facts:
        """As of the last answer."""
        assert self._facts is not None
        return self._facts

    def tell(self, message: dict[str, Any]) -> None:
        """Send one message and wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        except BaseException:
            # The answer to this message would be taken for the answer to the next.
            self.end()
            raise
        if not line:
            self.end()
            raise CouldNotRun("supervisor-died", "the process that looks after PostgreSQL has died")
        answer = json.loads(line)
        if "refused" in answer:
            self.end()
            raise refusal(answer["refused"])
        self._facts = Facts(Path(answer["ok"]["directory"]), answer["ok"]["pid"])

    def end(self) -> None:
        """Stop PostgreSQL and return when it, the supervisor and the directory are gone; again: nothing."""
        refused = self._close()
        self._process.wait()
        if self._facts is not None:
            # Only a supervisor that was killed leaves its directory, and PostgreSQL a moment of life, to us.
            reclaim(self._facts.directory)
        if refused:
            raise refusal(refused)

    def let_go(self) -> None:
        """Leave the server running for good: from here on only SIGTERM to the supervisor ends it."""
        self.tell({"do": "let-go"})
        self._close()
        # Popen would complain that a child was not waited for. This one is to outlive us.
        self._process.returncode = 0

    def _close(self) -> str:
        """Close the line and read to the end of what the supervisor still says: nothing, or a last refusal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._process.stdin.closed:
            return ""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        with self._process.stdout:
            last = self._process.stdout.read()
        return str(json.loads(last).get("refused", "")) if last else ""


FREE_SPACE = "free some space, or choose another directory for the data"
KNOWN = (
    ("No space left on device", "disk-full", FREE_SPACE),
    ("wrote only", "disk-full", FREE_SPACE),
    ("File too large", "disk-full", "raise the limit on the size of files (ulimit -f)"),
    ("Address already in use", "port-in-use", "choose another port, or none"),
    ("Read-only file system", "data-directory", "choose another directory for the data"),
)
"""What PostgreSQL and the system say, the slug for it, and what to do next."""

SETTING = ("unrecognized configuration parameter", "invalid value for parameter", "is outside the valid range")


def refusal(said: str) -> HarnessError:
    """One line out of what was said when PostgreSQL did not start: the line that names the cause."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it said nothing"]
    for line in lines:
        if any(sign in line for sign in SETTING):
            return UsageError("setting", _message(line), remedy="correct the setting")
    for sign, slug, remedy in KNOWN:
        for line in lines:
            if sign in line:
                return CouldNotRun(slug, f"PostgreSQL could not start: {_message(line)}", remedy=remedy)
    fatal = [line for line in lines if "FATAL:" in line or "PANIC:" in line or "error:" in line]
    return CouldNotRun("server-start", f"PostgreSQL could not start: {_message((fatal or lines[-1:])[0])}")


def _message(line: str) -> str:
    """A log line without its time, pid and level."""
    for level in ("FATAL:", "PANIC:", "ERROR:", "LOG:", "error:"):
        _, found, rest = line.partition(level)
        if found:
            return rest.strip()
    return line
