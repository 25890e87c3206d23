"""The text of the functions that a run goes through, and where a reader finds it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.db.plan import Plan
from harness.marketplace.subject import Subject
from harness.resources import bundled
from harness.verify.coverage import place


def sources(subject: Subject, plan: Plan, functions: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The functions by name, each with the ``lines`` of its body and, where a migration has it, ``file`` and line.

    A body begins on the line of its opening quote, which is its own line 1 (``file_line``).
    """
    folder = subject.file.path.parent
    shown = f"sql/{folder.name}" if folder.parent == bundled("sql") else folder.as_posix()
    texts = {
        f"{shown}/{path.relative_to(folder).as_posix()}": path.read_text(encoding="utf-8-sig")
        for path in subject.migrations
    }
    bodies = {item.name: item.source for item in plan.rewritten}
    return {
        name: {**place(bodies[name], texts), "lines": bodies[name].split("\n")}
        for name in dict.fromkeys(functions)
        if name in bodies
    }
