"""Searching again: may another order of the operations that overlapped explain what the order of the commits does not?

PostgreSQL makes a commit visible a moment after it is in the log, so two commits that overlap may become visible the
other way round; a reader tells. Locks forbid it to those that touch the same rows. Only operations that share something
with the one in doubt matter to it, directly or through others: whatever else there was is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import count
from math import inf, isinf

from harness.check.linearizability import Witness, find_witness
from harness.load.answers import fits, is_modelled, operation_of, told
from harness.load.books import Books, Part
from harness.load.finding import Finding
from harness.load.journal import CommitJournal
from harness.load.matching import NOBODY, Matched
from harness.load.sample import Sample
from harness.load.samples import Samples
from harness.marketplace.market import Market
from harness.words.history import Call, Result, Status

CALLS_MAX = 60
"""Operations that share something with the one in doubt."""
LOOKS_MAX = 20_000
"""How often a search asks the model: it grows exponentially with the operations, where their answers leave it open."""
SEARCHES_MAX = 100
_COMMITS_MAX = 500
"""How far a window may reach, in commits."""


class Answer(Enum):
    """Of a search."""

    EXPLAINED = "another order explains it"
    REFUTED = "no order does"
    TOO_LARGE = "too many orders"


class _TooLarge(Exception):
    """More orders than are tried."""


@dataclass(slots=True)
class _Window:
    finding: Finding
    first: int
    last: int
    """The commits that overlap, and all between them."""
    numbers: list[int]
    """The samples: of those commits, and those without a commit that overlap the one in doubt."""
    part: Part = field(default_factory=Part)
    committed: list[int] = field(default_factory=list)
    """The one in doubt, and those of them that committed."""
    before: Market | None = None
    answer: Answer = Answer.TOO_LARGE


def search_again(
    samples: Samples, journal: CommitJournal, matched: Matched, findings: Sequence[Finding]
) -> dict[Finding, Answer]:
    """What becomes of findings that are not certain; of the first hundred. One more scan of the journal."""
    if not matched.samples:
        # One state, whatever the order.
        return dict.fromkeys(findings, Answer.REFUTED)
    position_of = {number: position for position, number in enumerate(matched.samples)}
    windows = [
        window
        for finding in findings[:SEARCHES_MAX]
        if (window := _window(samples, matched, position_of, finding)) is not None
    ]
    books = Books(journal.words)
    books.put(journal.start())
    opening, open_ = sorted(windows, key=lambda window: window.first), list[_Window]()
    now = 0.0
    for position, commit in enumerate(journal.commits()):
        while opening and opening[0].first == position:
            window = opening.pop(0)
            if _begin(samples, matched, books, window, now):
                open_.append(window)
        books.put(commit.rows)
        now = commit.time
        for window in [each for each in open_ if each.last == position]:
            open_.remove(window)
            window.answer = _search(samples, window, books.market(window.part, now))
    return {window.finding: window.answer for window in windows}


def _window(samples: Samples, matched: Matched, position_of: dict[int, int], finding: Finding) -> _Window | None:
    number = finding.number
    if number is None:
        return None
    position = position_of.get(number, finding.position)
    order = matched.samples
    invoked, returned = samples.invoked[number], samples.returned[number]
    if isinf(returned):
        # When it ended nobody knows; but it had committed when one that committed later returned.
        returned = min((samples.returned[other] for other in order[position : position + _COMMITS_MAX]), default=inf)

    def overlaps(other: int) -> bool:
        return other >= 0 and samples.returned[other] >= invoked and samples.invoked[other] <= returned

    around = range(max(0, position - _COMMITS_MAX), min(len(order), position + _COMMITS_MAX))
    near = [at for at in around if overlaps(order[at]) and not isinf(samples.returned[order[at]])]
    if finding.since is not None:
        near.append(finding.since)
    if not near:
        # Nothing committed beside it: the state is that before the next commit, whatever the order.
        near = [min(position, len(order) - 1)]
    first, last = min(near), max(near)
    inside = {order[at] for at in range(first, last + 1)} | {number}
    beside = (
        other
        for other in range(len(samples))
        if other not in position_of and samples.status(other) in (Status.OK, Status.REFUSED) and overlaps(other)
    )
    return _Window(finding, first, last, sorted(inside.union(beside)))


def _begin(samples: Samples, matched: Matched, books: Books, window: _Window, now: float) -> bool:
    """Leave out what shares nothing with the one in doubt. False when too much is left, or nobody knows who did it."""
    number = window.finding.number
    assert number is not None
    if NOBODY in window.numbers:
        return False
    parts = {each: _part(samples.read(each), books) for each in window.numbers}
    window.committed = _connected(number, [each for each in window.numbers if matched.committed[each]], parts)
    window.numbers = _connected(number, window.numbers, parts)
    if len(window.committed) > CALLS_MAX or not all(is_modelled(samples.read(each)) for each in window.committed):
        return False
    for each in window.numbers:
        window.part |= parts[each]
    window.before = books.market(window.part, now)
    return True


def _connected(number: int, numbers: Sequence[int], parts: Mapping[int, Part]) -> list[int]:
    """Those that share something with this one, or with one that does, and so on; it among them."""
    ids = set(parts[number].ids())
    chosen, rest = [number], [each for each in numbers if each != number]
    while joined := [each for each in rest if not ids.isdisjoint(parts[each].ids())]:
        chosen += joined
        rest = [each for each in rest if each not in joined]
        for each in joined:
            ids.update(parts[each].ids())
    return sorted(chosen)


def _part(sample: Sample, books: Books) -> Part:
    operation = operation_of(sample, _made(sample))
    if operation is not None:
        return books.part(operation)
    return books.about(sample.purchase or "")


def _made(sample: Sample) -> str | None:
    return sample.purchase or (sample.answer or {}).get("purchase")


def _search(samples: Samples, window: _Window, final: Market) -> Answer:
    """Those that committed first: if no order of them will do, the others, which change nothing, make it no better."""
    answer = _search_among(samples, window.committed, window.before, final)
    if answer is Answer.EXPLAINED and window.numbers != window.committed:
        if len(window.numbers) > CALLS_MAX or not all(is_modelled(samples.read(each)) for each in window.numbers):
            return Answer.TOO_LARGE
        return _search_among(samples, window.numbers, window.before, final)
    return answer


def _search_among(samples: Samples, numbers: Sequence[int], before: Market | None, final: Market) -> Answer:
    assert before is not None
    times = sorted({each for number in numbers for each in (samples.invoked[number], samples.returned[number])})
    rank = {time: place for place, time in enumerate(times)}
    clients = {name: place for place, name in enumerate({samples.read(number).client for number in numbers})}
    calls = [
        Call(
            clients[samples.read(number).client],
            number,
            rank[samples.invoked[number]],
            None if unknown else rank[samples.returned[number]],
            Result(Status.UNKNOWN) if unknown else told(samples.read(number)),
        )
        for number in numbers
        for unknown in (isinf(samples.returned[number]),)
    ]
    looks = count()

    def apply(market: Market, number: int) -> tuple[Result, Market]:
        """The answer that was seen where it fits, else the model's."""
        if next(looks) > LOOKS_MAX:
            raise _TooLarge
        sample = samples.read(number)
        fit, result, after = fits(sample, market, _made(sample))
        if not fit:
            return replace(result, code=f"not {result.code}"), after
        return told(sample), market if sample.status == Status.REFUSED else after

    try:
        found = find_witness(calls, before, apply, final=final, may_be_busy=lambda _call, _calls: True)
    except _TooLarge:
        return Answer.TOO_LARGE
    return Answer.EXPLAINED if isinstance(found, Witness) else Answer.REFUTED
