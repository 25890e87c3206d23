"""The run document of a verification: every property and every scenario with its verdict, as versioned JSON.

Its schema is ``harness/report/verify.schema.json``; every view is rendered from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.marketplace.scenario import Scenario
from harness.marketplace.subject import Subject
from harness.resources import bundled
from harness.verify.orders import Counterexample, ScenarioReport
from harness.verify.shards import Shard
from harness.words.errors import CouldNotRun, ExitCode
from harness.words.verdict import OF_CODE, Certificate, Verdict

FORMAT = "harness-verify"
VERSION = 2


def judge_property(property_id: str, reports: Sequence[ScenarioReport]) -> Verdict:
    """The verdict on one property from the campaigns of all scenarios that name it."""
    applicable = [report for report in reports if property_id not in report.not_applicable]
    found = [report.counterexamples[property_id] for report in applicable if property_id in report.counterexamples]
    if any(each.reproduced == each.replays for each in found):
        return Verdict.VIOLATED
    if found or any(report.diverged for report in reports):
        return Verdict.NONDETERMINISTIC
    if any(report.hang for report in reports):
        return Verdict.HANG
    if not applicable:
        return Verdict.NOT_APPLICABLE
    if any(report.schedules and not report.missing[property_id] for report in applicable):
        return Verdict.HOLDS
    return Verdict.NOT_EXERCISED


def exit_code(verdicts: Sequence[Verdict], certificates: Sequence[Certificate], *, strict: bool) -> ExitCode:
    """The gravest first: a violation, a run that could not be judged, a property that nothing exercised."""
    if Verdict.VIOLATED in verdicts:
        return ExitCode.VIOLATED
    if Verdict.HANG in verdicts or Verdict.NONDETERMINISTIC in verdicts:
        return ExitCode.COULD_NOT_RUN
    if Verdict.NOT_EXERCISED in verdicts or Verdict.HOLDS not in verdicts:
        return ExitCode.NOT_EXERCISED
    if strict and Certificate.INCONCLUSIVE in certificates:
        return ExitCode.INCONCLUSIVE
    return ExitCode.HOLDS


def smallest(property_id: str, reports: Sequence[ScenarioReport]) -> Counterexample | None:
    """The counterexample to show: one that replays, with the fewest preemptions, then steps."""
    found = [report.counterexamples[property_id] for report in reports if property_id in report.counterexamples]
    return min(found, key=lambda each: size(_sizes(each)), default=None)


def size(counterexample: Mapping[str, Any]) -> tuple[bool, int, int]:
    """By what the counterexample to show is the least."""
    found = counterexample
    return found["reproduced"] < found["replays"], found["preemptions"], found["steps"]


def write_schedule(counterexample: Counterexample, directory: Path) -> Path:
    """Save the schedule file of a counterexample; its name says what it shows. Raises ``CouldNotRun``."""
    recording = counterexample.recording
    name = f"{recording.subject}-{recording.property}-{recording.scenario}"
    path = directory / (re.sub(r"[^\w.-]+", "-", name) + ".json")
    try:
        write_text(path, recording.to_json())
    except CouldNotRun as error:
        error.seen = f"{recording.property} is violated, but {error.seen}"
        error.exit_code = ExitCode.VIOLATED
        raise
    return path


def property_entry(property_id: str, reports: Sequence[ScenarioReport], schedule_files: Path) -> dict[str, Any]:
    """One property with its verdict and, when it is violated, its smallest counterexample, whose schedule is saved."""
    naming = [report for report in reports if property_id in report.missing]
    verdict = judge_property(property_id, naming)
    shown = smallest(property_id, naming)
    entry: dict[str, Any] = {
        "id": property_id,
        "verdict": verdict.value,
        "scenarios": [report.name for report in naming if property_id not in report.not_applicable],
        "schedules": sum(report.schedules for report in naming if property_id not in report.not_applicable),
        "violating_schedules": sum(report.violating.get(property_id, 0) for report in naming),
        "counterexample": None,
    }
    if shown is not None:
        entry["counterexample"] = counterexample_entry(shown, write_schedule(shown, schedule_files))
    return entry | unproved(verdict, property_id, [scenario_entry(report) for report in naming])


def unproved(verdict: Verdict, property_id: str, scenarios: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """``why``, for a property that nothing puts to the test: from the entries of the scenarios, in their order."""
    if verdict is Verdict.NOT_APPLICABLE:
        reasons = (each["not_applicable"].get(property_id) for each in scenarios)
        return {"why": "; ".join(sorted({reason for reason in reasons if reason}))}
    if verdict is Verdict.NOT_EXERCISED:
        unseen = ((each["name"], each["not_exercised"].get(property_id)) for each in scenarios)
        return {"why": "; ".join(f"{name} never saw {', '.join(labels)}" for name, labels in unseen if labels)}
    return {}


def counterexample_entry(counterexample: Counterexample, file: Path) -> dict[str, Any]:
    """A counterexample as a run document has it; ``file`` is where its schedule is saved."""
    recording = counterexample.recording
    return {
        "file": str(file),
        "scenario": recording.scenario,
        "isolation": recording.isolation,
        "why": recording.why,
        "guilty": guilty_parts(counterexample.guilty),
        "proved_minimum": recording.proved_minimum,
        **_sizes(counterexample),
        "found_after_schedules": counterexample.found_after_schedules,
        "found_after_seconds": round(counterexample.found_after_s, 3),
        "shrink_tries": counterexample.shrink_tries,
        **counterexample.explained,
        "story": counterexample.story,
    }


def _sizes(counterexample: Counterexample) -> dict[str, int]:
    recording = counterexample.recording
    return {
        "preemptions": recording.preemptions,
        "steps": len(recording.decisions),
        "replays": counterexample.replays,
        "reproduced": counterexample.reproduced,
    }


def guilty_parts(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Name to value; several values of one name are joined by commas."""
    parts: dict[str, list[str]] = {}
    for name, value in pairs:
        parts.setdefault(name, []).append(value)
    return {name: ", ".join(dict.fromkeys(values)) for name, values in parts.items()}


def scenario_entry(report: ScenarioReport) -> dict[str, Any]:
    """What one campaign explored and saw."""
    return {
        "name": report.name,
        "isolation": report.isolation,
        "strategy": report.strategy,
        "certificate": report.explored.certificate.value,
        "preemption_bound": report.explored.bound,
        "miss_bound": report.explored.miss_bound,
        "schedules": report.schedules,
        "distinct_schedules": report.distinct,
        "steps": report.steps,
        "steps_median": report.steps_median,
        "distinct_outcomes": report.distinct_outcomes,
        "unseen_outcomes": round(report.unseen_outcomes, 6),
        "opaque": list(report.opaque),
        "seconds": round(report.seconds, 3),
        "digest": report.digest,
        "happened": dict(report.labels),
        "not_exercised": {each: list(labels) for each, labels in report.missing.items() if labels},
        "not_applicable": dict(report.not_applicable),
        "violated": sorted(report.violating),
        "hang": report.hang or None,
        "diverged": report.diverged or None,
    }


def subject_entry(subject: Subject, points: int, *, by_requests: bool = False) -> dict[str, Any]:
    """``folder`` is there for a subject that is none of the bundled ones: commands must name it."""
    entry = {"name": subject.name, "digest": subject.digest, "points": points}
    if by_requests:
        entry["through"] = "api"
    folder = subject.file.path.parent
    if folder.parent == bundled("sql"):
        return entry
    # A bare name would be looked up among the bundled ones.
    return {**entry, "folder": str(folder) if len(folder.parts) > 1 else f"./{folder}"}


def verify_document(
    *,
    subject: Mapping[str, Any],
    server: Mapping[str, Any],
    seed: int,
    limits: Mapping[str, Any],
    strict: bool,
    interrupted: bool,
    seconds: float,
    reports: Sequence[ScenarioReport],
    coverage: Mapping[str, Any],
    skipped: Mapping[str, str],
    scenarios: Sequence[Scenario],
    extra_properties: Sequence[dict[str, Any]],
    schedule_files: Path,
    shard: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The whole document. ``coverage`` is that of the subject's SQL (``harness.verify.coverage``).

    ``skipped``: scenarios that the subject cannot play, with the reason. ``shard``: which part this is of a whole
    (``shard_entry``), if it is one.
    """
    ids = list(dict.fromkeys(each for scenario in scenarios for each in scenario.properties))
    properties = [property_entry(each, reports, schedule_files) for each in ids] + list(extra_properties)
    verdicts = [Verdict(entry["verdict"]) for entry in properties]
    certificates = [report.explored.certificate for report in reports]
    return {
        "format": FORMAT,
        "version": VERSION,
        "subject": dict(subject),
        **judgement(verdicts, certificates, strict=strict, part=shard is not None),
        "interrupted": interrupted,
        "seed": seed,
        "limits": dict(limits),
        "strict": strict,
        "server": dict(server),
        "seconds": round(seconds, 3),
        "schedules": sum(report.schedules for report in reports),
        "distinct_schedules": sum(report.distinct for report in reports),
        "properties": properties,
        "scenarios": [scenario_entry(report) for report in reports],
        "skipped": [{"name": name, "why": why} for name, why in skipped.items()],
        "coverage": {"sql": dict(coverage)},
        **({} if shard is None else {"shard": dict(shard)}),
    }


def judgement(
    verdicts: Sequence[Verdict], certificates: Sequence[Certificate], *, strict: bool, part: bool
) -> dict[str, Any]:
    """``verdict`` and ``exit_code`` of a document. A ``part`` of a whole can break it, and cannot say that it holds."""
    code = exit_code(verdicts, certificates, strict=strict)
    word = OF_CODE[code]
    if part and code in (ExitCode.HOLDS, ExitCode.NOT_EXERCISED):
        # What was not exercised here may have been in another part.
        code, word = ExitCode.HOLDS, "unbroken"
        if strict and Certificate.INCONCLUSIVE in certificates:
            code = ExitCode.INCONCLUSIVE
            word = OF_CODE[code]
    return {"verdict": word, "exit_code": int(code)}


def shard_entry(
    shard: Shard | None,
    scenarios: Sequence[Scenario],
    isolation: str,
    sites: Mapping[str, Any],
    reached: frozenset[int],
) -> dict[str, Any] | None:
    """What a part must tell for the parts to be merged (``harness.verify.merge``); None for a whole.

    ``scenarios`` are those of the whole, with those that are skipped; ``sites`` and ``reached`` are what coverage is
    counted from.
    """
    if shard is None:
        return None
    return {
        "index": shard.index,
        "of": shard.of,
        "scenarios": [each.name for each in scenarios],
        "properties": list(dict.fromkeys(each for scenario in scenarios for each in scenario.properties)),
        "isolation": isolation,
        "sites": dict(sites),
        "reached": sorted(reached),
    }


def write_document(document: Mapping[str, Any], path: Path) -> None:
    """Write the document as JSON, with the directories that it needs. Raises ``CouldNotRun``."""
    write_text(path, json.dumps(document, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a whole file with the directories that it needs, or raise ``CouldNotRun`` and leave no half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.write_text(text, encoding="utf-8")
        except OSError:
            if path.is_file():
                path.unlink()
            raise
    except OSError as error:
        raise CouldNotRun(
            "cannot-write",
            f"{path} cannot be written: {error.strerror}",
            remedy="free some space, or name another file",
        ) from error
