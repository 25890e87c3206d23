"""The run document of a model: what was lived, what was seen, and the smallest life that breaks a property.

Its schema is ``harness/report/model.schema.json``; docs/models.md explains every field.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.stateful.check import ModelReport
from harness.verify.document import counterexample_entry, write_schedule
from harness.words.errors import ExitCode
from harness.words.verdict import Verdict

FORMAT = "harness-model"
VERSION = 2


def model_document(
    report: ModelReport,
    *,
    subject: Mapping[str, Any],
    server: Mapping[str, Any],
    limits: Mapping[str, int],
    interrupted: bool,
    schedule_files: Path,
) -> dict[str, Any]:
    """The whole document; saves the schedule file of a counterexample."""
    verdict, code = judge(report)
    properties = []
    if (found := report.counterexample) is not None:
        properties.append(
            {
                "id": found.recording.property,
                "verdict": verdict.value,
                "minimal": report.minimal,
                "counterexample": counterexample_entry(found, write_schedule(found, schedule_files)),
            }
        )
    return {
        "format": FORMAT,
        "version": VERSION,
        "subject": dict(subject),
        "verdict": verdict.value,
        "exit_code": int(code),
        "interrupted": interrupted,
        "seed": report.seed,
        "limits": dict(limits),
        "server": dict(server),
        "seconds": round(report.seconds, 3),
        "replayed": report.replayed,
        "lives": report.lives,
        "steps": report.steps,
        "blocks": report.blocks,
        "distinct_blocks": report.distinct,
        "outcomes": report.outcomes,
        "seen": dict(report.seen),
        "unexplained": dict(report.unexplained),
        "properties": properties,
        "also_broken": list(report.also_broken),
    }


def judge(report: ModelReport) -> tuple[Verdict, ExitCode]:
    """Lives in which nothing overlapped prove nothing, nor do operations that fail without a cause, nor does a failure
    that does not come again."""
    found = report.counterexample
    if found is not None and found.reproduced < found.replays:
        return Verdict.NONDETERMINISTIC, ExitCode.COULD_NOT_RUN
    if found is not None:
        return Verdict.VIOLATED, ExitCode.VIOLATED
    if not report.seen.get("overlap") or report.unexplained:
        return Verdict.NOT_EXERCISED, ExitCode.NOT_EXERCISED
    return Verdict.HOLDS, ExitCode.HOLDS
