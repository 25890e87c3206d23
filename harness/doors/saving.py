"""What a run leaves in files: its document among those of all runs, and the copies that were asked for."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import __version__
from harness.doors.asking import require_writable
from harness.doors.calling import command_line
from harness.doors.saying import colour, exit_code, say, width
from harness.report.stored import RUNS
from harness.report.views import junit, text
from harness.verify.document import write_document, write_text
from harness.words.errors import CouldNotRun, ExitCode


class Saving:
    """The files of one run, which begins now. Each must be one that can be written, else ``CouldNotRun`` at once.

    ``kind`` and ``about`` are for people: the name of the command and of what it is about go into the run's id.
    """

    def __init__(
        self, kind: str, about: str, *, reports: Path, json_file: Path | None = None, junit_file: Path | None = None
    ) -> None:
        self._began = datetime.now(UTC)
        self.id = run_id(self._began, kind, about)
        self.path = reports / RUNS / f"{self.id}.json"
        self._copy, self._junit_file = json_file, junit_file
        require_writable(json_file, junit_file, self.path)

    @property
    def began(self) -> str:
        """When, in UTC, as the document has it."""
        return f"{self._began:%Y-%m-%dT%H:%M:%SZ}"

    def stamped(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The document with the ``run`` that it is of."""
        run = {
            "id": self.id,
            "began": self.began,
            "command": command_line(),
            "harness": __version__,
        }
        named = {name: document[name] for name in ("format", "version")}
        return {**named, "run": run, **{name: value for name, value in document.items() if name not in named}}

    def ended(self, document: Mapping[str, Any], *also: Callable[[Mapping[str, Any]], None]) -> int:
        """Write the document, say what it says and how to see it, then tell ``also``; returns the exit code.

        Raises ``CouldNotRun`` for a file that cannot be written, when all else is written and said, with the exit code
        of a violation where there is one.
        """
        whole = self.stamped(document)
        code = exit_code(whole)
        failed: list[CouldNotRun] = []
        for part in (self._write, self._write_copy, self._write_junit, self._say, *also):
            try:
                part(whole)
            except CouldNotRun as error:
                failed.append(error)
        if failed:
            if code == ExitCode.VIOLATED:
                failed[0].exit_code = ExitCode.VIOLATED  # the graver news
            raise failed[0]
        return code

    def _write(self, document: Mapping[str, Any]) -> None:
        write_document(document, self.path)

    def _write_copy(self, document: Mapping[str, Any]) -> None:
        if self._copy is not None:
            write_document(document, self._copy)

    def _write_junit(self, document: Mapping[str, Any]) -> None:
        if self._junit_file is not None:
            write_text(self._junit_file, junit(document))

    def _say(self, document: Mapping[str, Any]) -> None:
        say(text(document, width=width(), colour=colour()))
        if self.path.is_file():
            say(f"harness report {shlex.quote(str(self.path))} --open")


def run_id(began: datetime, kind: str, about: str) -> str:
    """``20261126-104512-verify-published-3fa2c1``: when, what, and chance, for many may begin in the same second."""
    named = re.sub(r"[^\w.-]+", "-", "-".join(word for word in (kind, about) if word), flags=re.ASCII)
    return f"{began:%Y%m%d-%H%M%S}-{named[:80]}-{secrets.token_hex(3)}"
