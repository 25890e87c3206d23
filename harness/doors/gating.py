"""``harness gate``: everything that a change has to pass, part after part, on one budget."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.doors.asking import cases, require_writable, scenarios_of
from harness.doors.gate_parts import LEAST_S, Asked, LeftOut, run_part, tell
from harness.doors.github import on_github, tell_github
from harness.doors.saving import Saving
from harness.gate.budget import Budget
from harness.gate.document import gate_document
from harness.gate.part import NAMES, TESTS, WHOLE, Part, Status
from harness.marketplace.properties import PROPERTIES
from harness.report.phrases import seconds as in_words
from harness.verify.document import subject_entry
from harness.words.errors import CouldNotRun, ExitCode, UsageError


def gate(
    asked: Asked,
    *,
    budget_s: float,
    annotate: bool,
    reports: Path,
    json_file: Path | None,
    junit_file: Path | None,
) -> int:
    """Run every part, report, save; returns the exit code.

    A part that finds something does not keep the others from running: whoever has to mend it wants to know everything.
    """
    require_writable(asked.schedule_files / "any")
    saving = Saving("gate", asked.subject.name, reports=reports, json_file=json_file, junit_file=junit_file)
    if all(_not_here(asked, name) for name in NAMES):
        raise UsageError("nothing-to-gate", "no part of the gate is left to run", remedy="leave out fewer parts")
    if asked.base is not None:
        # What was named and is not there is a mistake, to be told at once; what is only usual may be missing.
        assert asked.base_seen
    budget = Budget(budget_s, asked.parts, fixed=asked.shard is not None)
    parts: list[Part] = []
    interrupted = False
    for name in NAMES:
        why = _not_here(asked, name)
        if why:
            parts.append(Part(name, Status.LEFT_OUT, why))
        elif interrupted or (_red(parts) and (budget.spent > budget_s or budget.of(name) < LEAST_S.get(name, 0.0))):
            parts.append(Part(name, Status.NOT_RUN, INTERRUPTED if interrupted else SPENT))
        else:
            parts.append(_ran(asked, name, budget))
            document = parts[-1].document or {}
            interrupted = parts[-1].why == INTERRUPTED or bool(document.get("interrupted"))
    base, touched = _change(asked)
    document = gate_document(
        parts,
        meanings={each.id: each.meaning for each in PROPERTIES.values()},
        theories={each.name: each.theory for each in scenarios_of(None, asked.scenario_files)}
        | {case.name: case.theory for case in cases().values()},
        subject={name: value for name, value in subject_entry(asked.subject, 0).items() if name != "points"},
        files=asked.files,
        base=base,
        changed=touched,
        budget_s=budget_s,
        seconds=budget.spent,
        seed=asked.seed,
        shard=asked.shard,
        interrupted=interrupted,
        touched=asked.touched,
        scenario_files=None if asked.scenario_files is None else str(asked.scenario_files),
    )
    return saving.ended(document, *([tell_github] if annotate or on_github() else []))


def _red(parts: Sequence[Part]) -> bool:
    return any(part.exit_code is ExitCode.VIOLATED for part in parts)


SPENT = "a violation is found, and too little of the budget is left"
"""Why a part is not begun any more: what it could say does not change the verdict."""
INTERRUPTED = "interrupted"
"""Why a part did not run, or not to its end."""


def _change(asked: Asked) -> tuple[str | None, list[dict[str, Any]]]:
    """The commit that the change began at, and the files that it touched; None where nobody knows it."""
    try:
        return asked.base_seen, asked.changed
    except CouldNotRun:
        return None, []  # the comparison, if it was asked for, has said so


def _not_here(asked: Asked, name: str) -> str:
    """Why a part is left out before anything is tried; nothing where it is not."""
    if name in asked.without:
        return f"--without {name}"
    if asked.shard and asked.shard.index > 1 and name in WHOLE:
        return f"shard 1/{asked.shard.of} does it"
    if name == TESTS and asked.tests is None:
        return "no tests are configured: tests in [tool.harness.gate] of pyproject.toml, or --tests"
    return ""


def _ran(asked: Asked, name: str, budget: Budget) -> Part:
    given = budget.of(name)
    tell(f"gate: {name}, about {in_words(given)}")
    began = time.monotonic()

    def part(status: Status, why: str = "", found: Mapping[str, Any] | None = None) -> Part:
        return Part(name, status, why, given, time.monotonic() - began, found)

    try:
        return part(Status.RAN, found=run_part(asked, name, given))
    except LeftOut as error:
        return part(Status.LEFT_OUT, str(error))
    except CouldNotRun as error:
        return part(Status.NOT_RUN, str(error))
    except KeyboardInterrupt:
        return part(Status.NOT_RUN, INTERRUPTED)
