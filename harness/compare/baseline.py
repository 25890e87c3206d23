"""The history of a version's figures as CSV: a file per operation, a row per run, for tools that find change points."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from harness.verify.document import write_text

COLUMNS = ("time", "commit", "digest", "subject", "machine", "postgresql", "rounds", "cpu", "p50", "buffers", "wal")
"""``time`` in UTC; figures of the candidate, in the units of the run document."""


def append_baseline(document: Mapping[str, Any], began: str, folder: Path) -> list[Path]:
    """Add a row of the candidate's figures to the file of every operation that was measured; returns the files.

    ``began`` is the time of the run. Raises ``CouldNotRun`` for a file that cannot be written.
    """
    written = []
    for entry in document["functions"]:
        if not entry["figures"]:
            continue
        # What is measured in another way has another level.
        kind = document["profile"].partition(":")[0]
        path = folder / f"{'' if kind == 'functions' else f'{kind}-'}{entry['id']}.csv"
        text = path.read_text(encoding="utf-8") if path.exists() else _line(COLUMNS)
        figures = {each["id"]: each["candidate"] for each in entry["figures"]}
        candidate, server = document["candidate"], document["server"]
        row = {
            "time": began,
            "commit": candidate["commit"] or "",
            "digest": candidate["digest"],
            "subject": candidate["subject"],
            "machine": server["machine"],
            "postgresql": server["version"],
            "rounds": entry["rounds"],
            **figures,
        }
        write_text(path, text + _line(["" if row.get(name) is None else row[name] for name in COLUMNS]))
        written.append(path)
    return written


def _line(cells: Any) -> str:
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()
