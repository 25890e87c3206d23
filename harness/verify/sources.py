"""The text of the functions that a run goes through, and where a reader finds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.db.plan import Plan
from harness.marketplace.subject import Subject
from harness.resources import bundled
from harness.verify.coverage import place


def sources(story: Mapping[str, Any], subject: Subject, plan: Plan) -> dict[str, dict[str, Any]]:
    """The functions that the steps of a story are in, by name.

    Each has the ``lines`` of its body and, where a migration has it, its ``file`` and the line there (``file_line``): a
    body begins on the line of its opening quote, which is its own line 1.
    """
    texts = {_shown(path): path.read_text(encoding="utf-8-sig") for path in subject.migrations}
    bodies = {item.name: item.source for item in plan.rewritten}
    functions = (step["where"].rpartition(":")[0] for step in story["steps"])
    return {
        name: {**place(bodies[name], texts), "lines": bodies[name].split("\n")}
        for name in dict.fromkeys(functions)
        if name in bodies
    }


def _shown(path: Path) -> str:
    """One of ours, also that of a planted fault, as it stands in the repository; any other as it was named."""
    ours = bundled("sql")
    return f"sql/{path.relative_to(ours).as_posix()}" if path.is_relative_to(ours) else path.as_posix()
