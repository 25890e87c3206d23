"""The check of a load history: every operation of every client against the sequential model, in the order of commits.

Linear: the samples are read once and looked up once, the journal is read twice. What is in doubt is searched again in
the window of those that overlapped it.
"""

from __future__ import annotations

import gc
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path

from harness.check.commit_order import Inversion, Spans, Unexplained, scan
from harness.load.answers import brief
from harness.load.busy import unfounded
from harness.load.finding import Finding, HistoryVerdict, Shown, judge
from harness.load.journal import CommitJournal
from harness.load.matching import NOBODY, Matched, match
from harness.load.replay import MarketReplay
from harness.load.sample import Sample
from harness.load.samples import Samples
from harness.load.window import Answer, search_again
from harness.words.history import Status

_SHOWN_MAX = 12
"""Operations of a window that are shown."""
_LISTED_MAX = 100


def check_history(paths: Iterable[Path], journal: CommitJournal, *, clock_error_s: float = 0.0) -> HistoryVerdict:
    """Judge the samples in these files by the commits of the journal, which was kept by a ``Recorder`` all the while.

    ``clock_error_s`` is how far the clocks of two clients may be apart: 0 on one machine.

    Raises ``UsageError`` for a file that is damaged. That a process was killed is no damage: what it may have left out
    makes some findings doubtful.
    """
    with _without_collection(), Samples(paths, clock_error_s=clock_error_s) as samples:
        matched = match(samples, journal)
        others = array("q", (number for number in range(len(samples)) if _needs_a_place(samples, matched, number)))
        replay = MarketReplay(samples, journal, matched, others)
        findings = []
        for found in scan(_spans(samples, matched.samples, matched), _spans(samples, others), replay):
            if isinstance(found, Inversion):
                findings.append(_inverted(samples, matched, found))
            elif found.behind is None:
                findings.append(_unexplained(samples, others[found.other], found))
        findings += replay.findings
        busy = [number for number in range(len(samples)) if samples.status(number) is Status.BUSY]
        for number in unfounded(samples, busy, replay.books):
            what = _what(samples, number)
            why = f"{what} was told to try again ({samples.read(number).code}), and nobody was in its way"
            findings.append(Finding(("no-false-conflict", "serializable"), why, len(matched.samples), number))
        findings.sort(key=lambda finding: finding.position)
        left, reordered = _searched(samples, journal, matched, findings)
        judgement, broken, firsts = judge(left)
        return HistoryVerdict(
            judgement,
            broken,
            tuple(_show(samples, finding) for finding in firsts),
            tuple(left[:_LISTED_MAX]),
            len(left),
            sum(not finding.certain for finding in left),
            {**_counts(samples, matched), "reordered": reordered},
        )


@contextmanager
def _without_collection() -> Iterator[None]:
    """There are no cycles here, and looking for some among millions of objects costs as much as the check."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _needs_a_place(samples: Samples, matched: Matched, number: int) -> bool:
    """Answered without a commit: a refusal, a read, a repeat, or an answer that should have had one."""
    return not matched.committed[number] and samples.status(number) in (Status.OK, Status.REFUSED)


def _spans(samples: Samples, numbers: Sequence[int], matched: Matched | None = None) -> Spans:
    """Their intervals. Commits of nobody, and those that prepare, are bound to no time."""
    invoked, returned = array("d"), array("d")
    for place, number in enumerate(numbers):
        free = number == NOBODY or (matched is not None and bool(matched.preparing[place] or matched.again[place]))
        invoked.append(-inf if free else samples.invoked[number])
        returned.append(inf if free else samples.returned[number])
    return Spans(invoked, returned)


def _inverted(samples: Samples, matched: Matched, found: Inversion) -> Finding:
    later, earlier = matched.samples[found.number], matched.samples[found.earlier]
    why = (
        f"{_what(samples, later)} had returned before {_what(samples, earlier)} was invoked, and was committed after it"
    )
    return Finding(("serializable",), why, found.number, later, since=found.earlier, certain=False)


def _unexplained(samples: Samples, number: int, found: Unexplained) -> Finding:
    sample = samples.read(number)
    what, status = _what(samples, number), samples.status(number)
    answer = ", ".join(f"{name}={value}" for name, value in (sample.answer or {}).items())
    if status is Status.REFUSED:
        properties: tuple[str, ...] = ("no-false-conflict", "serializable")
        why = f"{what} was refused {sample.code} ({answer}), and there was no reason to while it ran"
    elif sample.operation == "read":
        properties, why = ("serializable",), f"{what} was told {answer}, which was not so while it ran"
    elif samples.is_repeat(number):
        properties = ("serializable", "no-lost-acknowledgement")
        why = f"{what} was told {answer}, and it had not been done so"
    else:
        # It would have had an effect whenever it ran: no order puts that right.
        properties, why = ("no-lost-acknowledgement", "serializable"), f"{what} was told ok, and nothing was committed"
    return Finding(properties, why, found.position, number, certain=properties[0] == "no-lost-acknowledgement")


def _searched(
    samples: Samples, journal: CommitJournal, matched: Matched, findings: Sequence[Finding]
) -> tuple[list[Finding], int]:
    """The findings that are left when those in doubt were searched again, and how many another order explains."""
    doubtful = [finding for finding in findings if not finding.certain and finding.number is not None]
    answers = search_again(samples, journal, matched, doubtful) if doubtful else {}
    left = [
        replace(finding, certain=True) if answers.get(finding) is Answer.REFUTED else finding
        for finding in findings
        if answers.get(finding) is not Answer.EXPLAINED
    ]
    return left, len(findings) - len(left)


def _show(samples: Samples, finding: Finding) -> Shown:
    number = finding.number
    if number is None:
        return Shown(finding, None, ())
    invoked, returned = samples.invoked[number], samples.returned[number]
    beside = [
        other
        for other in range(len(samples))
        if other != number and samples.invoked[other] <= returned and samples.returned[other] >= invoked
    ]
    beside.sort(key=lambda other: abs(samples.invoked[other] - invoked))
    nearest = sorted(beside[:_SHOWN_MAX], key=samples.invoked.__getitem__)
    return Shown(finding, samples.read(number), tuple(samples.read(other) for other in nearest))


def _counts(samples: Samples, matched: Matched) -> dict[str, int]:
    counts: Counter[str] = Counter(operations=len(samples), commits=len(matched.samples))
    counts.update(matched.wrote)
    counts["preparations"] = sum(matched.preparing)
    counts["nobodys_commits"] = sum(number == NOBODY for number in matched.samples)
    for number in range(len(samples)):
        status, committed = samples.status(number), matched.committed[number]
        if status is Status.UNKNOWN:
            counts["unknown_committed" if committed else "unknown_rolled_back"] += 1
        elif status is Status.REFUSED:
            counts["refusals"] += 1
        elif status is not Status.OK:
            counts[status.value] += 1
        elif samples.operation(number) == "read":
            counts["reads"] += 1
        elif samples.is_repeat(number):
            counts["repeats"] += 1
        else:
            counts["ok"] += 1
    return dict(counts)


def _what(samples: Samples, number: int) -> str:
    sample: Sample = samples.read(number)
    return f"{sample.client}'s {brief(sample)}"
