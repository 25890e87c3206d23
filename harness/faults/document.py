"""The run document of a fault sweep, as versioned JSON. Its schema is ``harness/report/faults.schema.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.faults.case import BESIDE, Case
from harness.faults.crash import CrashReport
from harness.marketplace.properties import PROPERTIES
from harness.marketplace.resolution import Resolution
from harness.marketplace.subject import Subject
from harness.verify.document import exit_code, property_entry, scenario_entry, subject_entry
from harness.verify.orders import Limits, ScenarioReport
from harness.words.errors import ExitCode
from harness.words.fault import Fault, FaultKind
from harness.words.verdict import OF_CODE, Verdict

FORMAT = "harness-faults"
VERSION = 2


@dataclass(frozen=True, slots=True)
class Swept:
    """What was swept and what came of it. ``wanted`` are the numbers of schedules that were to be drawn."""

    subject: Subject
    points: int
    server: Mapping[str, Any]
    cases: Sequence[Case]
    faults: Sequence[Fault]
    wanted: Mapping[str, int]
    seed: int
    seconds: float
    interrupted: bool
    reports: Sequence[ScenarioReport]
    skipped: Mapping[str, str]
    limits: Limits = field(default_factory=Limits)
    """When it was to end, whatever had been run."""
    shard: Mapping[str, Any] | None = None
    """Which part of a whole this is, if it is one."""


def faults_document(swept: Swept, schedule_files: Path) -> dict[str, Any]:
    """The whole document; schedule files of counterexamples are written on the way."""
    reports = swept.reports
    properties = [property_entry(each, reports, schedule_files) for each in PROPERTIES]
    struck = Counter(fault for report in reports for _, fault in report.strikes.runs.elements())
    unstruck = [str(fault) for fault in swept.faults if not struck[str(fault)]]
    names = {case.scenario([fault], beside=needs_another(fault)).name for case in swept.cases for fault in swept.faults}
    singles = [report for report in reports if report.name in names]
    drawn = [report for report in reports if report.name not in names]
    unknown: Counter[Resolution] = Counter()
    for report in reports:
        unknown.update(report.strikes.unknown)
    operations = [entry for case in swept.cases if (entry := _operation(case, swept.faults, singles))["faults"]]
    limits = {name: value for name, value in swept.limits.entry.items() if name != "schedules"}
    return {
        "format": FORMAT,
        "version": VERSION,
        "subject": subject_entry(swept.subject, swept.points),
        **judgement([Verdict(entry["verdict"]) for entry in properties], unstruck, part=swept.shard is not None),
        "interrupted": swept.interrupted,
        "seed": swept.seed,
        "server": dict(swept.server),
        "seconds": round(swept.seconds, 3),
        "faults": [str(fault) for fault in swept.faults],
        "never_struck": unstruck,
        "histories": sum(report.schedules for report in reports),
        "steps": sum(len(operation["steps"]) for operation in operations),
        "strikes": sum(len(step["faults"]) for operation in operations for step in operation["steps"]),
        "single": _extent(singles),
        "pairs": {"wanted": swept.wanted["pairs"], **_extent([each for each in drawn if not _is_raced(each)])},
        "beside": {"wanted": swept.wanted["beside"], **_extent([each for each in drawn if _is_raced(each)])},
        "unknown": {each.value: unknown[each] for each in Resolution},
        "leaks": sum(report.violating.get("no-leak", 0) for report in reports),
        "crashes": None,
        "operations": operations,
        "properties": properties,
        "scenarios": [scenario_entry(report) for report in reports],
        "skipped": [{"name": name, "why": why} for name, why in swept.skipped.items()],
        **({} if swept.limits.seconds is None else {"limits": limits}),
        **({} if swept.shard is None else {"shard": dict(swept.shard)}),
    }


def with_crashes(swept: Mapping[str, Any], report: CrashReport, *, interrupted: bool) -> dict[str, Any]:
    """The run document of a sweep with what crashes under load have shown; ``interrupted``: by Ctrl-C, between two."""
    crashes = {
        **{name: getattr(report, name) for name in _COUNTED},
        "recovery_seconds_max": round(max(report.recovery_seconds, default=0.0), 3),
        "violated": sorted({violation.property for violation in report.violations}),
        "why": [violation.why for violation in report.violations[:CRASHES_TOLD_MAX]],
    }
    document = {**swept, "crashes": crashes, "interrupted": swept["interrupted"] or interrupted}
    if not report.holds:
        code = ExitCode.VIOLATED
    elif report.rounds and report.interrupted and report.acknowledged:
        return document
    else:
        code = ExitCode.NOT_EXERCISED  # nobody was cut off, or nobody had been told anything that could be lost
    if swept["exit_code"] in (ExitCode.HOLDS, ExitCode.NOT_EXERCISED) or code is ExitCode.VIOLATED:
        document |= {"verdict": OF_CODE[code], "exit_code": int(code)}
    return document


_COUNTED = ("rounds", "interrupted", "acknowledged", "refused", "committed", "rolled_back", "lost", "again")

CRASHES_TOLD_MAX = 5
"""How many broken cases are told in words."""

_GRAVEST_FIRST = (ExitCode.VIOLATED, ExitCode.COULD_NOT_RUN, ExitCode.NOT_EXERCISED, ExitCode.INCONCLUSIVE)


def including(verification: Mapping[str, Any], swept: Mapping[str, Any]) -> dict[str, Any]:
    """The run document of a verification with the sweep in short; the graver verdict is that of both."""
    broken = [entry for entry in swept["properties"] if entry["verdict"] == Verdict.VIOLATED]
    summary = {
        **{
            name: swept[name]
            for name in ("verdict", "exit_code", "never_struck", "histories", "steps", "strikes", "unknown", "leaks")
        },
        **{part: swept[part] for part in ("single", "pairs", "beside")},
        "violated": [entry["id"] for entry in broken],
        "counterexamples": list(dict.fromkeys(entry["counterexample"]["file"] for entry in broken)),
    }
    both = (verification, swept)
    gravest = next((each for code in _GRAVEST_FIRST for each in both if each["exit_code"] == code), verification)
    return {
        **verification,
        "faults": summary,
        "verdict": gravest["verdict"],
        "exit_code": gravest["exit_code"],
        "interrupted": verification["interrupted"] or swept["interrupted"],
    }


def needs_another(fault: Fault) -> bool:
    """Whether a fault needs another client to do anything."""
    return fault.kind is FaultKind.LOCK_TIMEOUT


def judgement(verdicts: Sequence[Verdict], unstruck: Sequence[str], *, part: bool) -> dict[str, Any]:
    """As a verification is judged; and where a fault that was asked for found nothing to strike, nothing holds.

    A ``part`` of a whole can break it, and cannot say that it holds.
    """
    code = exit_code(verdicts, [], strict=False)
    if code is ExitCode.HOLDS and unstruck:
        code = ExitCode.NOT_EXERCISED
    if part and code in (ExitCode.HOLDS, ExitCode.NOT_EXERCISED):
        return {"verdict": "unbroken", "exit_code": int(ExitCode.HOLDS)}
    return {"verdict": OF_CODE[code], "exit_code": int(code)}


def _is_raced(report: ScenarioReport) -> bool:
    """One fault and another client; pairs have two faults, whoever else is there."""
    return report.name.endswith(BESIDE) and report.name.count("~") == 2


def _extent(reports: Sequence[ScenarioReport]) -> dict[str, int]:
    return {
        "scenarios": len(reports),
        "exhausted": sum(report.explored.certificate.value == "EXHAUSTED" for report in reports),
        "histories": sum(report.schedules for report in reports),
        "not_struck": sum(report.strikes.not_struck for report in reports),
        "violating": sum(bool(report.violating) for report in reports),
    }


def _operation(case: Case, faults: Sequence[Fault], singles: Sequence[ScenarioReport]) -> dict[str, Any]:
    """One operation's part of the matrix: its steps in the order in which they are taken, each with what struck it."""
    by_name = {report.name: report for report in singles}
    told: dict[str, ScenarioReport] = {}
    for fault in faults:
        report = by_name.get(case.scenario([fault], beside=needs_another(fault)).name)
        if report is not None:
            told[str(fault)] = report
    first: dict[tuple[str, str], int] = {}
    for report in told.values():
        for place, step in report.strikes.steps.items():
            first[place] = min(step, first.get(place, step))
    steps = [
        {
            "where": place[0],
            "statement": place[1],
            "faults": {
                fault: {
                    "histories": report.strikes.runs[place, fault],
                    "violating": report.strikes.violating[place, fault],
                }
                for fault, report in told.items()
                if report.strikes.runs[place, fault]
            },
        }
        for place in sorted(first, key=lambda place: (first[place], place))
    ]
    return {
        "name": case.name,
        "theory": case.theory,
        "steps": steps,
        "faults": {
            fault: {
                "certificate": report.explored.certificate.value,
                "preemption_bound": report.explored.bound,
                "histories": report.schedules,
                "not_struck": report.strikes.not_struck,
                "violated": sorted(report.violating),
            }
            for fault, report in told.items()
        },
    }
