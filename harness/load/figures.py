"""Figures of a load run, from its raw samples: nothing is rounded, nothing averaged before it is asked for.

Two latencies stand beside one another. Of the closed model: from sending to the answer, which flatters a server that
stalls, since nobody sends while it does. Of the open model: from the moment at which the client was to come, which
does not wait for the server, to its clear answer, whatever was lost and asked again in between.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from typing import NamedTuple

from harness.load.sample import Sample
from harness.marketplace.properties.facts import CAPTURED
from harness.words.history import Status


class Latency(NamedTuple):
    """Percentiles in milliseconds, exact, of so many answers; None where there is none."""

    answers: int
    min: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    p999: float | None = None
    max: float | None = None


class Span(NamedTuple):
    """A request by its time, in seconds of CLOCK_MONOTONIC; where no answer came it ends with the client's next one."""

    begin: float
    end: float
    what: str
    http: int | None = None


@dataclass
class Operation:
    """What came of all requests for one operation."""

    counts: Counter[str] = field(default_factory=Counter)
    """By status."""
    closed_ms: array[float] = field(default_factory=lambda: array("d"))
    sent_at: array[float] = field(default_factory=lambda: array("f"))
    """When each of ``closed_ms`` was sent, in seconds after ``Figures.base``: a millisecond more or less in a day."""
    open_ms: array[float] = field(default_factory=lambda: array("d"))
    came_at: array[float] = field(default_factory=lambda: array("f"))
    """When the client of each of ``open_ms`` was to come."""


@dataclass
class Figures:
    """Of one run. ``first`` and ``last`` are the first request's beginning and the last one's end."""

    operations: dict[str, Operation] = field(default_factory=lambda: defaultdict(Operation))
    refusals: Counter[str] = field(default_factory=Counter)
    """By the word of the refusal, busy ones among them."""
    sqlstates: Counter[str] = field(default_factory=Counter)
    """By SQLSTATE, of clients who ask the functions directly."""
    disturbed: list[Span] = field(default_factory=list)
    """Every 5xx, and every request that had no answer, but for those that the load generator's own end cut off."""
    given_up: list[Span] = field(default_factory=list)
    """The last attempts of requests that had no clear answer when their client went on to something else."""
    conflicts: int = 0
    """Purchases, of either kind, that the API answered with 409."""
    unknown: int = 0
    """Attempts whose outcome their client did not know when they ended."""
    cut_off: int = 0
    """Of these, those that the end of the load generator cut off."""
    asked_again: int = 0
    """Of these, such as another attempt with the same key had a clear answer to."""
    late_ms: array[float] = field(default_factory=lambda: array("d"))
    """How late clients set out for whom nothing stood in the way: the load generator's own fault."""
    waited: int = 0
    """Arrivals for which no client was free when they were due: the server's, or those of too few clients."""
    first: float = float("inf")
    last: float = 0.0
    base: float = 0.0
    """What moments are counted from: the first sample that was read."""
    answered_at: array[float] = field(default_factory=lambda: array("f"))
    """When each answer came; of a request without one, when it was sent."""
    answered: array[int] = field(default_factory=lambda: array("H"))
    """What each of them was: its place in ``answers``."""
    answers: dict[tuple[str, str], int] = field(default_factory=dict)
    """(status, the word of a refusal or the SQLSTATE) to its number."""
    checkouts_s: array[float] = field(default_factory=lambda: array("d"))
    """Of every Stripe purchase that was paid for: from asking for it to the first answer that its payment is known."""

    @property
    def seconds(self) -> float:
        return max(0.0, self.last - self.first)

    @property
    def requests(self) -> int:
        return sum(each.counts.total() for each in self.operations.values())


SQLSTATE_LENGTH = 5
CONFLICT = 409


def figures_of(samples: Iterable[Sample]) -> Figures:
    """Go through all samples once; those of one client in the order of their invocation, as its file has them.

    Deliveries of the gateway are to come after the purchases that they are of.
    """
    found = Figures()
    pending: dict[str, float] = {}
    lost: Counter[str] = Counter()
    free_since: dict[str, float] = {}
    unended: dict[str, int] = {}
    waiting: dict[str, tuple[str, Span]] = {}
    unpaid: dict[str, float] = {}
    for sample in samples:
        if not found.operations:
            found.base = sample.invoked
        if (place := unended.pop(sample.client, None)) is not None:
            # Its client has noticed by now, at the latest.
            found.disturbed[place] = found.disturbed[place]._replace(end=sample.invoked)
        operation = found.operations[sample.operation]
        operation.counts[sample.status] += 1
        end = sample.returned
        found.first = min(found.first, sample.invoked)
        found.last = max(found.last, sample.invoked if end is None else end)
        _count_lateness(found, sample, free_since)
        _count_answer(found, sample)
        _time_checkout(found, sample, unpaid)

        request = f"{sample.operation} {sample.key or sample.event or sample.purchase} {sample.client}"
        before = waiting.get(sample.client)
        if before is not None and before[0] != request:
            found.given_up.append(waiting.pop(sample.client)[1])
        if sample.status == Status.UNKNOWN:
            found.unknown += 1
            lost[request] += 1
        elif sample.code != "key_in_progress":
            found.asked_again += lost.pop(request, 0)
        unclear = sample.status == Status.UNKNOWN or (sample.http or 0) >= 500
        if unclear:
            pending.setdefault(request, sample.intended)
            if not (sample.http or sample.code):
                found.cut_off += 1
            else:
                how = f"{sample.http or 'no answer:'} {sample.code}"
                if end is None:
                    unended[sample.client] = len(found.disturbed)
                span = Span(sample.invoked, inf if end is None else end, f"{sample.operation}: {how}", sample.http)
                found.disturbed.append(span)
                waiting[sample.client] = (request, span)
        elif sample.code != "key_in_progress":
            waiting.pop(sample.client, None)
        found.conflicts += sample.http == CONFLICT and sample.operation in ("buy", "checkout")
        if sample.status in (Status.REFUSED, Status.BUSY, Status.FAILED) and sample.code:
            direct = len(sample.code) == SQLSTATE_LENGTH and sample.http is None
            (found.sqlstates if direct else found.refusals)[sample.code] += 1
        if end is not None:
            operation.closed_ms.append((end - sample.invoked) * 1000)
            operation.sent_at.append(sample.invoked - found.base)
            if not unclear:
                came = pending.pop(request, sample.intended)
                operation.open_ms.append((end - came) * 1000)
                operation.came_at.append(came - found.base)
    return found


def _count_answer(found: Figures, sample: Sample) -> None:
    what = (str(sample.status), sample.code if sample.status != Status.OK else "")
    found.answered.append(found.answers.setdefault(what, len(found.answers)))
    found.answered_at.append((sample.invoked if sample.returned is None else sample.returned) - found.base)


def _time_checkout(found: Figures, sample: Sample, unpaid: dict[str, float]) -> None:
    """``unpaid`` are the Stripe purchases so far: purchase to the moment at which it was asked for."""
    if sample.purchase is None or sample.status != Status.OK:
        return
    if sample.operation == "checkout":
        unpaid.setdefault(sample.purchase, sample.invoked)
    elif sample.operation == "deliver" and sample.kind in CAPTURED and sample.returned and sample.purchase in unpaid:
        found.checkouts_s.append(sample.returned - unpaid.pop(sample.purchase))


def _count_lateness(found: Figures, sample: Sample, free_since: dict[str, float]) -> None:
    if sample.intended < sample.invoked:
        ready = free_since.get(sample.client, sample.intended)
        if ready > sample.intended:
            found.waited += 1
        else:
            found.late_ms.append((sample.invoked - sample.intended) * 1000)
    free_since[sample.client] = sample.invoked if sample.returned is None else sample.returned


def latency(milliseconds: Sequence[float]) -> Latency:
    """Nearest-rank percentiles: each is a latency that somebody had."""
    if not milliseconds:
        return Latency(0)
    ordered = sorted(milliseconds)

    def rank(share: float) -> float:
        return ordered[max(0, ceil(len(ordered) * share) - 1)]

    return Latency(len(ordered), ordered[0], rank(0.5), rank(0.9), rank(0.99), rank(0.999), ordered[-1])


class Round(NamedTuple):
    """A race for one lead: how many wanted it, how many got it, from the first request to the last answer.

    ``finished``: all of them know how it ended for them.
    """

    buyers: int
    winners: int
    seconds: float
    finished: bool = True


def rounds_of(samples: Iterable[Sample]) -> list[Round]:
    """The races of ``hot_lead``: purchases by the lead that they are of, in the order of their beginning."""
    races: dict[str, _Race] = defaultdict(_Race)
    for sample in samples:
        if sample.operation == "buy" and sample.leads:
            race, buyer = races[sample.leads[0]], f"{sample.client} {sample.key}"
            race.begin = min(race.begin, sample.invoked)
            if sample.returned is not None:
                race.end = max(race.end, sample.returned)
            if sample.status == Status.UNKNOWN or (sample.http or 0) >= 500 or sample.code == "key_in_progress":
                race.buyers.setdefault(buyer, None)
            else:
                # Of one that was told twice, a replay is its own purchase, told again.
                race.buyers[buyer] = sample.status == Status.OK
    return [
        Round(
            len(race.buyers),
            sum(won is True for won in race.buyers.values()),
            max(0.0, race.end - race.begin),
            None not in race.buyers.values(),
        )
        for race in races.values()
    ]


@dataclass
class _Race:
    """``buyers`` says whether each of them has won; None where it does not know."""

    buyers: dict[str, bool | None] = field(default_factory=dict)
    begin: float = inf
    end: float = 0.0


class Step(NamedTuple):
    """A step of ``step_load``: how many users, clear answers a second, and the latency of the closed model."""

    users: int
    per_second: float
    latency: Latency


def steps_of(samples: Iterable[Sample], steps: Sequence[Mapping[str, float]]) -> list[Step]:
    """The samples by the step in which they were answered; ``steps`` as ``steps.json`` has them, in order."""
    times: list[array[float]] = [array("d") for _ in steps]
    for sample in samples:
        if sample.returned is not None:
            for place, step in enumerate(steps):
                if step["begin"] <= sample.returned < step["end"]:
                    times[place].append((sample.returned - sample.invoked) * 1000)
    return [
        Step(int(step["users"]), len(found) / max(1e-9, step["end"] - step["begin"]), latency(found))
        for step, found in zip(steps, times, strict=True)
    ]
