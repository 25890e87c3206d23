"""Busy answers need a cause: an operation of somebody else, of the same lead or key, that overlapped."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from harness.load.books import Books
from harness.load.sample import Sample, identity_of_key
from harness.load.samples import Samples

_LOCKING = frozenset(
    {"buy", "checkout", "complete_credit", "complete_stripe", "deliver", "mark_sold", "validate", "update_price"}
)
"""What locks leads."""
_ANYBODY = ""
"""Where the server does not say what was busy, whoever overlapped may be the cause."""


def unfounded(samples: Samples, busy: Sequence[int], books: Books) -> Iterator[int]:
    """The numbers of the busy answers that nothing explains. ``books`` know the leads of every purchase.

    One scan of all samples: linear, but for the busy answers that one operation overlaps.
    """
    wanted: dict[str, list[int]] = {}
    for number in sorted(busy, key=samples.invoked.__getitem__):
        for name in _wanted(samples.read(number), books):
            wanted.setdefault(name, []).append(number)
    starts = {name: [samples.invoked[number] for number in numbers] for name, numbers in wanted.items()}
    # The last return of all up to each: before it no earlier one can reach.
    reach = {
        name: list(accumulate((samples.returned[number] for number in numbers), max))
        for name, numbers in wanted.items()
    }
    left = set(busy)
    for number in range(len(samples)):
        if not left:
            return
        sample = samples.read(number)
        for name in (*_locked(sample, books), _ANYBODY):
            if name not in wanted:
                continue
            at = bisect_right(starts[name], samples.returned[number]) - 1
            while at >= 0 and reach[name][at] >= samples.invoked[number]:
                other = wanted[name][at]
                if samples.returned[other] >= samples.invoked[number] and samples.read(other).client != sample.client:
                    left.discard(other)
                at -= 1
    yield from sorted(left)


def _wanted(sample: Sample, books: Books) -> Iterator[str]:
    """What a busy answer says was locked: the key, or one of the leads."""
    if sample.code == "key_in_progress":
        yield identity_of_key(sample.workspace, sample.key or "")
    elif sample.code in ("lead_busy", "55P03"):
        yield from _leads(sample, books)
    else:
        yield _ANYBODY


def _locked(sample: Sample, books: Books) -> Iterator[str]:
    """What an operation may have locked, for a while: also one that then found something else locked."""
    if sample.code == "key_in_progress":
        return
    if sample.key is not None:
        yield identity_of_key(sample.workspace, sample.key)
    yield from _leads(sample, books)


def _leads(sample: Sample, books: Books) -> Iterator[str]:
    if sample.operation in _LOCKING:
        if sample.leads:
            yield from sample.leads
        elif (purchase := books.purchases.get(sample.purchase or "")) is not None:
            yield from purchase.leads
