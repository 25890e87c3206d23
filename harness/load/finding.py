"""What the check of a load history says: findings, and the verdict over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from harness.load.sample import Sample


class Judgement(StrEnum):
    """Of a whole history."""

    HOLDS = "holds"
    """There is a serial order that explains everything: the one in which it committed."""
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"
    """Something does not fit the order of the commits, and whether it fits another could not be searched."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``properties`` are broken by it, the one that names it best first."""

    properties: tuple[str, ...]
    why: str
    position: int
    """After so many commits."""
    number: int | None = None
    """Of the sample, where it is about one."""
    since: int | None = None
    """The position of another commit that has to do with it."""
    certain: bool = True
    """False when another order of operations that overlap might explain it, or a sample is missing that might."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding with the operation itself and those that overlapped it, in order of their invocation."""

    finding: Finding
    sample: Sample | None
    window: tuple[Sample, ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "properties": list(self.finding.properties),
            "why": self.finding.why,
            "position": self.finding.position,
            "certain": self.finding.certain,
            "operation": None if self.sample is None else _fields(self.sample),
            "window": [_fields(sample) for sample in self.window],
        }


@dataclass(frozen=True, slots=True)
class HistoryVerdict:
    """The judgement, how often each property was broken, the first finding of each, and what was counted."""

    judgement: Judgement
    broken: Mapping[str, int]
    """Property to the number of findings that are certain."""
    shown: tuple[Shown, ...]
    """The first finding of every property, in the order in which they happened."""
    listed: tuple[Finding, ...]
    """The first hundred of all, in the order in which they happened."""
    findings: int
    doubtful: int
    """Findings that are not certain."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """operations, commits, ok, refusals, reads, repeats, busy, failed, unknown_committed, unknown_rolled_back,
    preparations, reordered (explained by another order than that of the commits); and what the commits wrote:
    leads_sold, charges, entries (of the ledger), endings (of purchases), webhooks (events that were applied)."""

    def document(self) -> dict[str, Any]:
        """As JSON, for the run document."""
        return {
            "judgement": self.judgement.value,
            "broken": dict(self.broken),
            "findings": self.findings,
            "doubtful": self.doubtful,
            "listed": [
                {"properties": list(each.properties), "why": each.why, "certain": each.certain} for each in self.listed
            ],
            "shown": [each.document() for each in self.shown],
            "counts": dict(self.counts),
        }


def judge(findings: Sequence[Finding]) -> tuple[Judgement, Counter[str], list[Finding]]:
    """The verdict over findings, how often each property was broken, and the first finding of each property."""
    broken = Counter(name for finding in findings if finding.certain for name in finding.properties)
    doubt = Judgement.INCONCLUSIVE if findings else Judgement.HOLDS
    judgement = Judgement.VIOLATED if broken else doubt
    return judgement, broken, list(_firsts(sorted(findings, key=lambda finding: not finding.certain)))


def _firsts(findings: Iterable[Finding]) -> Iterable[Finding]:
    """For every property the first that names it before all others, or the first that names it at all."""
    findings = list(findings)
    names = dict.fromkeys(name for finding in findings for name in finding.properties)
    chosen: dict[int, Finding] = {}
    for name in names:
        best = next((each for each in findings if each.properties[0] == name), None)
        best = best or next(each for each in findings if name in each.properties)
        chosen[id(best)] = best
    return sorted(chosen.values(), key=lambda finding: finding.position)


def _fields(sample: Sample) -> dict[str, Any]:
    return {name: value for name, value in sample._asdict().items() if value is not None and value != ""}
