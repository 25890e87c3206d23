"""What is wrong as workflow commands of GitHub Actions, which sets each beside the line of the file that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.counterexamples import reason
from harness.report.gate import findings, result, runs_of
from harness.report.gate_markdown import again, located
from harness.words.errors import ExitCode

ANNOTATIONS_MAX = 10
"""GitHub shows no more errors of one step."""


def errors_on_lines(document: Mapping[str, Any]) -> list[str]:
    """Of a run document (harness-gate, version 1): one for each run that breaks something, and each part not green.

    That a part did not run is only a warning beside a violation, which may be why.
    """
    lines = []
    for _, found in findings(document):
        for showing in runs_of(found):
            where = located(document, showing.counterexample)
            told = "; ".join(f"{each['id']}: {reason(each)}" for each in showing.properties)
            text = f"{told}\n{again(document, showing.counterexample)}"
            title = f"{', '.join(each['id'] for each in showing.properties)} broken"
            place = {"file": where.file, "line": str(where.line)} if where and where.file else {}
            lines.append(command("error", text, {**place, "title": title}))
    for each in document["parts"]:
        if each["exit_code"] and not (each["document"] and runs_of(each["document"])):
            less = each["status"] == "not_run" and document["exit_code"] == ExitCode.VIOLATED
            name = "warning" if less else "error"
            lines.append(command(name, result(each), {"title": f"harness gate: {each['part']}"}))
    return lines[:ANNOTATIONS_MAX]


def command(name: str, message: str, properties: Mapping[str, str]) -> str:
    """A workflow command on one line, with everything escaped that would end or split it."""
    said = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in properties.items())
    return f"::{name}{' ' if said else ''}{said}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    for mark in f"%\r\n{more}":  # the per cent sign first: it is what the others become
        text = text.replace(mark, f"%{ord(mark):02X}")
    return text
