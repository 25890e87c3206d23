"""Run documents that are there already: found by file or by id, and read, if they are of a version that we know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.words.errors import UsageError

RUNS = "runs"
"""Where in the directory of reports the documents of all runs are."""

LATEST = "latest"

VERSIONS = {
    "harness-verify": (1, 2),
    "harness-faults": (1, 2),
    "harness-model": (1, 2),
    "harness-load": (2, 2),
    "harness-monitor": (1, 2),
    "harness-compare": (1, 1),
    "harness-gate": (1, 1),
}
"""The oldest and the newest version of each format that the views can tell truthfully."""


def find(run: str, reports: Path) -> Path:
    """The file of a run: a path, an id, or ``latest``. Raises ``UsageError``."""
    folder = reports / RUNS
    if run == LATEST:
        # An id begins with its second; of those of one second the one that was written last.
        known = sorted(folder.glob("*.json"), key=lambda path: (path.name[:15], path.stat().st_mtime))
        if not known:
            raise UsageError(
                "no-run", f"there is no run in {folder}", expected="a run document", remedy="harness verify makes one"
            )
        return known[-1]
    for path in (Path(run), folder / f"{run}.json"):
        if path.is_file():
            return path
    raise UsageError(
        "no-run",
        f"there is no run {run!r}",
        expected=f"a file, the id of a run in {folder}, or {LATEST}",
        remedy="harness report --index lists them",
    )


def read(path: Path) -> dict[str, Any]:
    """The document in a file. Raises ``UsageError`` for what is none, and for one of a version that we do not know."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError("bad-run-document", f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(
            "bad-run-document", f"{path} is not valid JSON", remedy="it may have been cut off: run it again"
        ) from error
    kind = document.get("format") if isinstance(document, dict) else None
    if kind == "harness-schedule":
        raise UsageError("bad-run-document", f"{path} is the schedule of a run", remedy=f"harness replay {path}")
    if not isinstance(kind, str) or kind not in VERSIONS:
        raise UsageError(
            "bad-run-document",
            f"{path} is no run document" + (f" (its format is {kind!r:.40})" if kind else ""),
            expected=f'"format": one of {", ".join(VERSIONS)}',
        )
    oldest, newest = VERSIONS[kind]
    version = document.get("version")
    if not isinstance(version, int) or not oldest <= version <= newest:
        wanted = f"version {oldest}" if oldest == newest else f"version {oldest} to {newest}"
        newer = isinstance(version, int) and version > newest
        raise UsageError(
            "run-document-version",
            f"{path} has version {version!r:.20} of {kind}",
            expected=wanted,
            remedy="a newer harness wrote it: take that one" if newer else "run it again",
        )
    found: dict[str, Any] = document
    return found
