"""What GitHub Actions is told of a run: the summary of the step, and annotations."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.doors.saying import say
from harness.report.gate_markdown import BYTES_MAX, gate_markdown, within
from harness.report.markdown import plain
from harness.report.workflow_commands import command, errors_on_lines
from harness.words.errors import CouldNotRun

SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable that names the file of the step's summary."""


def on_github() -> bool:
    """Whether this is a step of a workflow there."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def tell_github(document: Mapping[str, Any]) -> None:
    """Print the annotations of a gate, and append to the step's summary where there is one. Raises ``CouldNotRun``."""
    for line in errors_on_lines(document):
        say(line)
    if name := os.environ.get(SUMMARY):
        append_summary(Path(name), gate_markdown(document))


def tell_github_why(message: str) -> None:
    """The same two places for a command that cannot do what it was asked to; nothing where this is no such step.

    By the standard error, which GitHub reads, too: the output may be a document. Raises ``CouldNotRun``.
    """
    if not on_github():
        return
    sys.stderr.write(command("error", message, {"title": "harness"}) + "\n")
    if name := os.environ.get(SUMMARY):
        append_summary(Path(name), f"## harness could not do what it was asked to\n\n{plain(message)}\n\n")


def append_summary(path: Path, text: str) -> None:
    """Add a text to the summary of a step, which is no greater than GitHub takes. Raises ``CouldNotRun``."""
    try:
        there = path.stat().st_size if path.exists() else 0
        with path.open("a", encoding="utf-8") as file:
            file.write(within(text, max(BYTES_MAX - there, 0)))
    except OSError as error:
        raise CouldNotRun("cannot-write", f"{path} cannot be written: {error.strerror}") from error
