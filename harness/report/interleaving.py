"""What the interleaving of a test's programs showed: the failure as a text, and how much was explored in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.counterexamples import provenance
from harness.report.lanes import lanes
from harness.report.page import page
from harness.report.phrases import count

_LABELS = {
    "overlap": "overlapped",
    "wait": "waited for a lock",
    "deadlock": "deadlocked",
    "busy": "were told to try again",
    "failed": "failed",
}
"""What runs did, by label, in the order in which it is told."""

_HEADS = {
    "nondeterministic": "NONDETERMINISTIC",
    "hang": "HANG",
    "not_exercised": "NOT EXERCISED",
}


def failure(document: Mapping[str, Any], replay: str = "", *, width: int = 100, ascii_only: bool = False) -> str:
    """What is wrong, and the run that shows it. ``replay`` is the command that makes it again, where there is one."""
    found = document["counterexample"]
    head = _HEADS.get(document["verdict"], "")
    if found is None:
        return f"{head}: {document['why']}"
    paper = page(width, ascii_only=ascii_only)
    lines = [line for each, why in found["broken"].items() for line in paper.wrap(f"{each}: {why}", hang=4)]
    if found["replays"]:
        lines += [line for text in provenance(found) for line in paper.wrap(text)]
    lines += paper.wrap(f"seed {document['seed']}")
    if head:
        lines += paper.wrap(
            f"{head}: not every replay went the same way, what follows depends on more than the schedule"
        )
    lines += ["", lanes(found["story"], width=width, ascii_only=ascii_only)]
    return "\n".join([*lines, *(["", f"    {replay}"] if replay else [])])


def explored(document: Mapping[str, Any]) -> str:
    """``EXHAUSTED (every schedule): 18 schedules, 2 outcomes; in 16 the programs overlapped``."""
    if document["verdict"] != "holds":
        after = f" after {count(document['schedules'], 'schedule')}" if document.get("schedules") else ""
        return _HEADS.get(document["verdict"], str(document["verdict"]).upper()) + after
    figures = f"{count(document['schedules'], 'schedule')}, {count(document['distinct_outcomes'], 'outcome')}"
    labels = document["labels"]
    told = [f"in {labels[label]:,} they {did}" for label, did in _LABELS.items() if label in labels]
    parts = [f"{document['explored']}: {figures}", *told]
    if document["opaque"]:
        parts.append(f"opaque: {'; '.join(document['opaque'])}")
    return "; ".join(parts)
