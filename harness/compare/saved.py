"""A comparison with a saved run: not paired, so that it can tell less, and says so.

What is compared are the levels of either run, each with its interval: the candidate is slower when its whole interval
is above the whole of the base's, by more than the limit. Pages and bytes hardly depend on when they were counted.
Processor time and latency do: two runs of the same version at different times differ by ``DRIFT`` or less as a rule, so
the intervals are taken to be that much wider; and of two machines they are not compared at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import expm1, log, log1p
from pathlib import Path
from typing import Any

from harness.compare.document import FORMAT, VERSION, exit_code, overall
from harness.compare.figure import FIGURES
from harness.compare.verdict import Word
from harness.words.errors import UsageError

DRIFT = 0.10
"""Between two runs, of what depends on the state of the machine."""
DRIFTING = ("cpu", "p50")

Document = Mapping[str, Any]


def saved_run(text: str) -> dict[str, Any] | None:
    """The document of a saved comparison of functions; None when ``text`` is no file of JSON. Raises ``UsageError``."""
    path = Path(text)
    if path.suffix != ".json" or not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unfit(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict) or "format" not in found:
        raise _unfit(f"{path} is no run document")
    kind = found["format"], found.get("version"), found.get("profile", "functions")
    if kind != (FORMAT, VERSION, "functions"):
        of = f", of {kind[2]}" if "profile" in found else ""
        raise _unfit(f"{path} is a {kind[0]}, version {kind[1]}{of}")
    return found


def _unfit(seen: str) -> UsageError:
    return UsageError(
        "bad-saved-run",
        seen,
        expected=f"a {FORMAT}, version {VERSION}, of functions",
        remedy="harness compare writes one under reports/runs/",
    )


def unpaired_document(
    base: Document, candidate: Document, *, saved: Mapping[str, str], strict: bool, seconds: float
) -> dict[str, Any]:
    """The run document of the candidates of two runs. ``saved`` has the file of ``base`` or ``candidate``, or of both.

    Raises ``UsageError`` when the two had not the same number of leads.
    """
    if base["leads"] != candidate["leads"]:
        raise UsageError(
            "other-stock",
            f"one run had {base['leads']:,} leads, the other {candidate['leads']:,}",
            expected="the same number: --leads",
        )
    sides = {"base": base, "candidate": candidate}
    machines = {each["server"]["machine"] for each in sides.values()}
    before = {entry["id"]: entry for entry in base["functions"]}
    entries = [
        _function(before[entry["id"]], entry, one_machine=len(machines) == 1)
        for entry in candidate["functions"]
        if entry["id"] in before
    ]
    verdict = overall([Word(each["verdict"]) for each in entries])
    return {
        **candidate,
        "verdict": verdict,
        "exit_code": int(exit_code(verdict, strict=strict)),
        "interrupted": any(each["interrupted"] for each in sides.values()),
        "paired": False,
        **{side: {**each["candidate"], "saved": saved.get(side)} for side, each in sides.items()},
        "seconds": round(seconds, 3),
        "strict": strict,
        "functions": entries,
        "against_itself": {"measured": 0, "off": [], "widest": None},
    }


def _function(before: Document, after: Document, *, one_machine: bool) -> dict[str, Any]:
    old = {each["id"]: each for each in before["figures"]}
    figures = [
        _figure(old[each["id"]], each, measured=one_machine or each["id"] not in DRIFTING)
        for each in after["figures"]
        if each["id"] in old
    ]
    words = {Word(each["verdict"]) for each in figures} - {Word.NOT_MEASURED}
    order = (Word.SLOWER, Word.CANNOT_TELL, Word.NO_SLOWDOWN)
    reason = after["reason"] or before["reason"]
    return {
        **after,
        "verdict": str(next((word for word in order if word in words), Word.NOT_MEASURED)),
        "faster": False,
        "reason": reason if one_machine else "processor time and latency are of two machines",
        "figures": figures,
        "latency": {
            side: entry["latency"]["candidate"]
            for side, entry in (("base", before), ("candidate", after))
            if "candidate" in entry["latency"]
        },
        "lock_waits": _waits(before["lock_waits"], after["lock_waits"]),
        "cause": [],
    }


def _waits(before: Document, after: Document) -> dict[str, Any]:
    if reason := after["reason"] or before["reason"]:
        return {"reason": reason}
    return {"base": before["candidate"], "candidate": after["candidate"], "reason": None}


def _figure(before: Document, after: Document, *, measured: bool) -> dict[str, Any]:
    figure = next(each for each in FIGURES if each.id == after["id"])
    word, increase = Word.NOT_MEASURED, None
    old, new = before["levels"]["candidate"], after["levels"]["candidate"]
    if measured and old is not None and new is not None:
        drift = log1p(DRIFT) if figure.id in DRIFTING else 0.0
        lower = _log_ratio(new["lower"], old["upper"], -drift)
        upper = _log_ratio(new["upper"], old["lower"], drift)
        limit = log1p(figure.limit)
        word = Word.CANNOT_TELL
        if lower is not None and lower > limit:
            word = Word.SLOWER
        elif upper is not None and upper < limit:
            word = Word.NO_SLOWDOWN
        increase = {
            "lower": None if lower is None else round(expm1(lower), 5),
            "middle": _share(_log_ratio(after["candidate"], before["candidate"], 0.0)),
            "upper": None if upper is None else round(expm1(upper), 5),
            "pairs": min(each["increase"]["pairs"] for each in (before, after)),
        }
    return {
        **after,
        "verdict": str(word),
        "faster": False,
        "base": before["candidate"],
        "increase": increase,
        "against_itself": None,
        "off": False,
        "levels": {"base": old, "candidate": new},
    }


def _log_ratio(new: float | None, old: float | None, drift: float) -> float | None:
    """None where it is infinite or not known; nothing is as much as nothing."""
    if new is None or old is None:
        return None
    if new == old == 0:
        return 0.0
    return log(new / old) + drift if new > 0 and old > 0 else None


def _share(logarithm: float | None) -> float | None:
    return None if logarithm is None else round(expm1(logarithm), 5)
