"""The run document of a comparison: every function with its verdict, every figure with its interval.

Its schema is ``harness/report/compare.schema.json``; docs/compare.md explains every field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import expm1, isfinite
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from harness.compare.figure import FIGURES, Figure
from harness.compare.rounds import Course
from harness.compare.verdict import ALPHA, FigureVerdict, Word, shared
from harness.compare.version import Version
from harness.stats.paired import Interval, interval
from harness.words.errors import ExitCode

if TYPE_CHECKING:
    from harness.compare.run import Options

FORMAT = "harness-compare"
VERSION = 1
IN_NANOSECONDS = ("cpu", "api_cpu", "p50", "p90", "pace")
"""Figures that are measured in nanoseconds, and told in microseconds."""


def compare_document(
    options: Options,
    courses: Sequence[Course],
    *,
    figures: Sequence[Figure] = FIGURES,
    leads: int,
    server: Mapping[str, Any],
    functions: Mapping[str, Sequence[str]],
    causes: Mapping[str, Sequence[Mapping[str, Any]]],
    waits: Mapping[str, Mapping[str, float]],
    no_waits: str | None,
    seconds: float,
    interrupted: bool,
) -> dict[str, Any]:
    """The whole document. ``functions``, ``causes`` and ``waits`` are by operation.

    ``no_waits`` says why none are measured, in a profile in which that is so.
    """
    alpha = shared(len(courses), figures).slower
    no_time = "the run was interrupted" if interrupted else "no time was left"
    entries = [
        {
            **_function(course, functions.get(course.operation, ()), causes.get(course.operation, ()), alpha),
            "lock_waits": _waits(waits.get(course.operation), no_waits or course.reason or no_time),
        }
        for course in courses
    ]
    verdict = overall([Word(each["verdict"]) for each in entries])
    return {
        "format": FORMAT,
        "version": VERSION,
        "verdict": verdict,
        "exit_code": int(exit_code(verdict, strict=options.strict)),
        "interrupted": interrupted,
        "profile": options.profile,
        "paired": True,
        "base": _version(options.base),
        "candidate": _version(options.candidate),
        "server": dict(server),
        "seed": options.seed,
        "leads": leads,
        "budget_seconds": options.budget_s,
        "seconds": round(seconds, 3),
        "strict": options.strict,
        "alpha": ALPHA,
        "figures": [
            {
                "id": each.id,
                "title": each.title,
                "unit": each.unit,
                "limit": each.limit,
                "reason": _missing(each.id, entries, server),
            }
            for each in figures
        ],
        "functions": entries,
        "against_itself": _against_itself(entries),
    }


def overall(words: Sequence[Word]) -> str:
    """The word on a whole run: the gravest counts, and nothing measured is no pass."""
    for word in (Word.SLOWER, Word.CANNOT_TELL, Word.NO_SLOWDOWN):
        if word in words:
            return str(word)
    return "not_exercised"


def exit_code(verdict: str, *, strict: bool) -> ExitCode:
    """How a run with this verdict ends."""
    if verdict == Word.CANNOT_TELL:
        return ExitCode.INCONCLUSIVE if strict else ExitCode.HOLDS
    codes = {Word.SLOWER: ExitCode.REGRESSION, Word.NO_SLOWDOWN: ExitCode.HOLDS}
    return codes.get(Word(verdict), ExitCode.NOT_EXERCISED) if verdict in codes else ExitCode.NOT_EXERCISED


def _version(version: Version) -> dict[str, Any]:
    return {
        "given": version.given,
        "subject": version.subject.name,
        "digest": version.subject.digest,
        "commit": version.commit,
        "saved": None,
    }


def _function(
    course: Course,
    functions: Sequence[str],
    causes: Sequence[Mapping[str, Any]],
    alpha: float,
) -> dict[str, Any]:
    verdict = course.verdict
    return {
        "id": course.operation,
        "functions": list(functions),
        "verdict": str(verdict.word if verdict else Word.NOT_MEASURED),
        "faster": bool(verdict and verdict.faster),
        "rounds": course.rounds,
        "calls": len(course.latencies_ns.get("base", ())),
        "reason": course.reason or None,
        "figures": [_figure(each, course, alpha) for each in verdict.figures] if verdict else [],
        "latency": {side: _latency(times) for side, times in course.latencies_ns.items()},
        "cause": list(causes),
    }


def _waits(of: Mapping[str, float] | None, why_not: str) -> dict[str, Any]:
    return {"reason": why_not} if of is None else {**of, "reason": None}


def _figure(verdict: FigureVerdict, course: Course, alpha: float) -> dict[str, Any]:
    return {
        "id": verdict.figure.id,
        "verdict": str(verdict.word),
        "faster": verdict.faster,
        **{side: _middle(course, side, verdict.figure.id) for side in ("base", "candidate")},
        "increase": _interval(verdict.increase),
        "against_itself": _interval(verdict.noise),
        "off": verdict.off,
        "levels": {side: _level(course, side, verdict.figure.id, alpha) for side in ("base", "candidate")},
    }


def _level(course: Course, side: str, figure: str, alpha: float) -> dict[str, float | None] | None:
    """Between which limits the side's own median is: what a later run can be compared with."""
    values = [value for each in course.measured if (value := each[side].get(figure)) is not None]
    if not values:
        return None
    found = interval(values, alpha, alpha)
    unit = 1000 if figure in IN_NANOSECONDS else 1
    return {
        "lower": round(found.lower / unit, 3) if isfinite(found.lower) else None,
        "upper": round(found.upper / unit, 3) if isfinite(found.upper) else None,
    }


def _middle(course: Course, side: str, figure: str) -> float | None:
    values = [value for each in course.measured if (value := each[side].get(figure)) is not None]
    if not values:
        return None
    return round(median(values) / (1000 if figure in IN_NANOSECONDS else 1), 3)


def _interval(found: Interval | None) -> dict[str, Any] | None:
    """Shares: 0.05 is 5 % more. A limit that is not known yet, or infinite, is null."""
    if found is None:
        return None
    return {
        "lower": _share(found.lower),
        "middle": _share(found.middle),
        "upper": _share(found.upper),
        "pairs": found.pairs,
    }


def _share(logarithm: float) -> float | None:
    return round(expm1(logarithm), 5) if isfinite(logarithm) else None


def _latency(times_ns: Sequence[int]) -> dict[str, float]:
    cuts = quantiles(times_ns, n=100, method="inclusive") if len(times_ns) > 1 else [times_ns[0]] * 99
    return {f"p{percent}": round(cuts[percent - 1] / 1000, 1) for percent in (50, 95, 99)}


def _missing(figure: str, entries: Sequence[Mapping[str, Any]], server: Mapping[str, Any]) -> str | None:
    """Why no function has this figure; None when one has."""
    measured = [each for entry in entries for each in entry["figures"] if each["id"] == figure and each["increase"]]
    if measured:
        return None
    if figure == "api_cpu" and any(entry["figures"] for entry in entries):
        return "this machine does not tell the processor time of a process"
    if figure == "cpu" and not server["local"]:
        return "the server's processes are not on this machine"
    if figure in ("buffers", "wal") and not server["counted"]:
        return "the server has no pg_stat_statements"
    return "nothing was measured"


def _against_itself(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The A/A line: the base against a copy of itself, in the same rounds."""
    found = [
        (each["against_itself"]["middle"], entry["id"], each["id"], each["off"])
        for entry in entries
        for each in entry["figures"]
        if each["against_itself"] and each["against_itself"]["middle"] is not None
    ]
    off = [{"function": function, "figure": figure} for _, function, figure, is_off in found if is_off]
    widest = max(found, key=lambda each: abs(each[0]), default=None)
    return {
        "measured": len(found),
        "off": off,
        "widest": None if widest is None else {"share": widest[0], "function": widest[1], "figure": widest[2]},
    }
