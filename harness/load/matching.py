"""Which operation made which commit? Told by the rows that the commit wrote."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from harness.load.journal import CommitJournal
from harness.load.rows import Row
from harness.load.sample import identity_of_key, identity_of_price
from harness.load.samples import Samples
from harness.words.history import Status

NOBODY = -1

_MAKING = frozenset({"buy", "checkout"})
_COMPLETING = frozenset({"buy", "complete_credit", "complete_stripe", "deliver"})
_ENDING = {
    "completed": _COMPLETING,
    "refund_required": frozenset({"complete_stripe", "deliver"}),
    "refunded": frozenset({"refund", "deliver"}),
    "cancelled": frozenset({"deliver", "sweep"}),
    "failed": frozenset({"deliver"}),
}
"""Status of a purchase that was changed to the operations that may change it so."""


class Trace(NamedTuple):
    """What the rows of a commit tell of its operation: whom it was about, the likeliest first, and what it can be."""

    identities: Sequence[str]
    operations: frozenset[str]
    preparing: bool = False
    """It only made a pending purchase to be paid with credits, which binds nobody."""


def _count(rows: Sequence[Row], wrote: Counter[str]) -> None:
    for row in rows:
        word = row[0]
        if word == "entry":
            wrote["entries"] += 1
            wrote["charges"] += row[3] == "purchase"
        elif word == "lead":
            wrote["leads_sold"] += row[5] == "sold"
        elif word == "purchase":
            wrote["endings"] += row[5] != "pending"
        elif word == "event":
            wrote["webhooks"] += row[1] == "I"


class Matched(NamedTuple):
    """``samples`` has the number of the sample for every commit, or ``NOBODY``; ``preparing`` a flag, and ``again``
    one for a commit whose operation had committed its effect before."""

    samples: array[int]
    preparing: bytearray
    again: bytearray
    committed: bytearray
    """By sample: whether it had an effect."""
    wrote: Counter[str]
    """What all commits wrote that puts properties to the test: leads_sold, charges, entries, endings (purchases that
    have come to an end), webhooks (their events)."""


def match(samples: Samples, journal: CommitJournal) -> Matched:
    """One scan of the journal."""
    matched = Matched(array("q"), bytearray(), bytearray(), bytearray(len(samples)), Counter())
    sweeps = sorted(samples.of("sweep"), key=samples.invoked.__getitem__)
    latest = -inf
    for commit in journal.commits():
        trace = trace_of(commit.rows)
        _count(commit.rows, matched.wrote)
        number = _choose(samples, trace, matched.committed, latest, sweeps)
        matched.samples.append(number)
        matched.preparing.append(trace.preparing)
        matched.again.append(number >= 0 and not trace.preparing and matched.committed[number])
        if number >= 0 and not trace.preparing:
            matched.committed[number] = 1
            latest = max(latest, samples.invoked[number])
    return matched


def trace_of(rows: Sequence[Row]) -> Trace:
    """What these rows tell."""
    first: dict[str, Row] = {}
    words = set()
    for row in rows:
        words.add(row[0])
        first.setdefault(row[0] + row[1], row)
    key, event = first.get("keyI") or first.get("keyU"), first.get("eventI")
    made, changed, item = first.get("purchaseI"), first.get("purchaseU"), first.get("itemI")
    top_up_made, top_up_changed = first.get("top_upI"), first.get("top_upU")
    identities: list[str] = []
    if event is not None:
        return Trace([event[2]], frozenset({"deliver"}))
    if key is not None:
        identities.append(identity_of_key(key[2], key[4]))
    purchase = made or changed or item
    if purchase is not None:
        identities.append(purchase[2])
        status = purchase[5] if purchase is not item else "pending"
        if made is not None or item is not None:
            preparing = words <= {"purchase", "item"} and (made is None or made[4] == "credits") and status == "pending"
            return Trace(identities, _MAKING, preparing)
        return Trace(identities, _ENDING.get(status, _COMPLETING))
    if top_up_made is not None:
        return Trace([*identities, top_up_made[2]], frozenset({"buy_credits"}))
    if top_up_changed is not None:
        return Trace([top_up_changed[2]], frozenset({"top_up", "deliver"}))
    entry = first.get("entryI")
    if entry is not None and (about := entry[5] or entry[6]):
        return Trace([about], _COMPLETING | {"refund", "top_up"})
    if words == {"lead"}:
        # A lead is marked once; what is written of it later, or before, is its price.
        marked = [row[2] for row in rows if row[5] == "sold"]
        priced = [identity_of_price(row[2], row[4]) for row in rows if row[4]]
        priced += [identity_of_price(row[2], None) for row in rows]
        return Trace([*marked, *priced], frozenset({"mark_sold", "update_price"}))
    if identities:
        # A key that was claimed, or answered, by itself.
        return Trace(identities, _MAKING | {"buy_credits"}, preparing=True)
    return Trace([], frozenset())


_RANK = {Status.OK: 0, Status.UNKNOWN: 1, Status.REFUSED: 2, Status.BUSY: 2, Status.FAILED: 2}
_RANK_OF_COMMITTED, _RANK_OF_REPEAT = 3, 4


def _choose(samples: Samples, trace: Trace, committed: bytearray, latest: float, sweeps: Sequence[int]) -> int:
    """The likeliest: who was told that it did it, who does not know, who was told no, who did it once already.

    Of equals a webhook comes last, which should have left its event; then the first that had not returned before an
    operation was invoked that has committed already.
    """
    best, number = (_RANK_OF_REPEAT + 1, False, False, inf), NOBODY

    def rank(other: int) -> tuple[int, bool, bool, float]:
        if committed[other]:
            value = _RANK_OF_COMMITTED
        elif samples.is_repeat(other):
            value = _RANK_OF_REPEAT
        else:
            value = _RANK[samples.status(other)]
        is_webhook = samples.operation(other) == "deliver"
        return value, is_webhook, samples.returned[other] < latest, samples.invoked[other]

    for identity in trace.identities:
        for other in samples.about(identity):
            if samples.operation(other) in trace.operations and (placed := rank(other)) < best:
                best, number = placed, other
        if best[0] < _RANK_OF_COMMITTED:
            return number
    if number >= 0:
        return number
    if "sweep" in trace.operations:
        return min((each for each in sweeps if not committed[each]), key=rank, default=NOBODY)
    return number
