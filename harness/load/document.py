"""The run document of a load run: figures, refusals, disturbances, and the verdict on its history, as versioned JSON.

Its schema is ``harness/report/load.schema.json``; every view is rendered from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from statistics import median
from typing import Any

from harness.load.distribution import PER_DECADE, distributions
from harness.load.disturbance import Disturbance, covered
from harness.load.figures import Figures, Operation, Round, Step, latency
from harness.load.finding import HistoryVerdict, Judgement
from harness.load.growth import Growth
from harness.load.look import EVERY_S, Look, looks_document
from harness.load.plan import Plan
from harness.load.properties import (
    Judged,
    errors_explained,
    errors_resolved,
    history_judged,
    nothing_grows,
    one_winner,
    struck,
)
from harness.load.published import published
from harness.load.timeline import timeline
from harness.words.errors import ExitCode
from harness.words.history import Status
from harness.words.verdict import Verdict

FORMAT = "harness-load"
VERSION = 2
SHOWN_MAX = 5
"""Reasons of one verdict that are told; the others are counted."""

MARKS_MAX = 200
"""Disturbances that are told one by one; all are counted."""


def load_document(
    plan: Plan,
    *,
    server: Mapping[str, Any],
    figures: Figures,
    history: HistoryVerdict,
    check_seconds: float,
    disturbances: Sequence[Disturbance],
    growths: Sequence[Growth],
    looks: Sequence[Look] = (),
    gap: str = "",
    also: Sequence[Judged],
    rounds: Sequence[Round],
    steps: Sequence[Step],
    lost_processes: int,
    interrupted: bool,
) -> dict[str, Any]:
    """The whole document; ``also`` are verdicts beside those that are made here. Times are as their names say."""
    judged = [
        *history_judged(history, figures, plan.required),
        *([one_winner(rounds)] if plan.scenario.name == "hot_lead" else []),
        errors_explained(figures, disturbances),
        errors_resolved(figures),
        struck(plan.strikes, disturbances),
        *also,
        nothing_grows(growths, gap),
    ]
    code = _exit_code({each.id: each.verdict for each in judged}, plan, history, figures, lost_processes)
    recoveries = [each.recovery_seconds for each in disturbances if each.recovery_seconds is not None]
    return {
        "format": FORMAT,
        "version": VERSION,
        "verdict": _VERDICTS[code],
        "exit_code": int(code),
        "interrupted": interrupted,
        "scenario": {"name": plan.scenario.name, "about": plan.scenario.about},
        "subject": {"name": plan.subject.name},
        "server": dict(server),
        "load": {
            "users": plan.users,
            "processes": plan.workers or plan.processes,
            "rate": plan.rate or None,
            "arrivals": plan.pattern if plan.rate else None,
            "asked_seconds": plan.seconds,
            "seed": plan.seed,
            "lost_processes": lost_processes,
        },
        "seconds": figures.seconds if figures.requests else 0.0,
        "requests": figures.requests,
        "per_second": figures.requests / figures.seconds if figures.seconds else 0.0,
        **_latencies(list(figures.operations.values()), plan),
        "operations": [
            {
                "name": name,
                "requests": each.counts.total(),
                "statuses": {status.value: each.counts[status] for status in Status if each.counts[status]},
                "per_second": each.counts.total() / figures.seconds if figures.seconds else 0.0,
                **_latencies([each], plan),
            }
            for name, each in sorted(figures.operations.items())
        ],
        "lateness": {
            "late_ms": latency(figures.late_ms)._asdict() if plan.rate else None,
            "waited_for_a_client": figures.waited if plan.rate else None,
        },
        "refusals": dict(figures.refusals.most_common()),
        "sqlstates": dict(figures.sqlstates.most_common()),
        "unknown": {
            "attempts": figures.unknown,
            "cut_off": figures.cut_off,
            "asked_again": figures.asked_again,
            "committed": history.counts.get("unknown_committed", 0),
            "rolled_back": history.counts.get("unknown_rolled_back", 0),
        },
        "disturbances": {
            "kills": sum(each.kind == "kill" for each in disturbances),
            "crashes": len(recoveries),
            "recovery_seconds_max": max(recoveries, default=None),
            "errors": len(figures.disturbed),
            "covered": covered(disturbances, figures.first, figures.last),
            "marks": [_mark(each, figures.first) for each in disturbances[:MARKS_MAX]],
        },
        "timeline": timeline(figures),
        "distributions": {"bins_per_decade": PER_DECADE, "of": distributions(figures, opened=bool(plan.rate))},
        "looks": {"every_seconds": EVERY_S, "rows": looks_document(looks, figures.first, figures.last)},
        "growth": [each._asdict() for each in growths],
        "race": _race(rounds) if plan.scenario.name == "hot_lead" else None,
        "steps": [
            {"users": each.users, "per_second": each.per_second, "closed_ms": each.latency._asdict()} for each in steps
        ],
        "published": published(figures, history, rounds),
        "history": {**history.document(), "seconds": check_seconds},
        "properties": [
            {
                "id": each.id,
                "verdict": each.verdict.value,
                "checked": each.checked,
                "why": list(each.why[:SHOWN_MAX]),
                "more": max(0, len(each.why) - SHOWN_MAX),
            }
            for each in judged
        ],
    }


_VERDICTS = {
    ExitCode.VIOLATED: "violated",
    ExitCode.HOLDS: "holds",
    ExitCode.NOT_EXERCISED: "not_exercised",
    ExitCode.INCONCLUSIVE: "inconclusive",
}


def _exit_code(
    verdicts: Mapping[str, Verdict], plan: Plan, history: HistoryVerdict, figures: Figures, lost_processes: int
) -> ExitCode:
    if Verdict.VIOLATED in verdicts.values():
        return ExitCode.VIOLATED
    if history.judgement is Judgement.INCONCLUSIVE or lost_processes:
        return ExitCode.INCONCLUSIVE
    done = sum(each.counts[Status.OK] for each in figures.operations.values())
    if not done or any(verdicts.get(each) is Verdict.NOT_EXERCISED for each in plan.required):
        return ExitCode.NOT_EXERCISED
    return ExitCode.HOLDS


def _latencies(operations: Sequence[Operation], plan: Plan) -> dict[str, Any]:
    """Of these together, in both models."""
    closed = latency(list(chain.from_iterable(each.closed_ms for each in operations)))
    came = latency(list(chain.from_iterable(each.open_ms for each in operations))) if plan.rate else None
    return {"closed_ms": closed._asdict(), "open_ms": came and came._asdict()}


def _mark(each: Disturbance, first: float) -> dict[str, Any]:
    """In seconds of the run, as all moments of the document are."""
    return {
        "kind": each.kind,
        "at": round(each.begin - first, 3),
        "until": round(each.end - first, 3),
        "recovery_seconds": each.recovery_seconds,
    }


def _race(rounds: Sequence[Round]) -> dict[str, Any]:
    full = [each for each in rounds if each.buyers > 1]
    return {
        "rounds": len(full),
        "one_winner": sum(each.winners == 1 for each in full),
        "buyers": max((each.buyers for each in full), default=0),
        "seconds_median": median(each.seconds for each in full) if full else None,
        "seconds_max": max((each.seconds for each in full), default=None),
    }
