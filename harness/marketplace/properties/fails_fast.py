"""fails-fast: a validation is told at once that another buyer is at its leads, and never waits for one.

For a writer who is no buyer it may wait: a seller who changes a price is soon done, and is no reason to refuse.
"""

from __future__ import annotations

from harness.marketplace.operations import Validate
from harness.marketplace.properties.facts import Facts, brief
from harness.marketplace.properties.no_false_conflict import BUYERS, SELLERS
from harness.marketplace.properties.no_hang import running
from harness.marketplace.properties.property import Judgement, Property
from harness.words.history import EventKind


def judge(facts: Facts) -> Judgement:
    told: set[tuple[int, int]] = set()
    for event in facts.events:
        if event.kind is not EventKind.WAIT:
            continue
        calls = running(facts, event.step)
        waiter = calls.get(event.session)
        if waiter is None or not isinstance(waiter.operation, Validate):
            continue
        for other in (calls[peer] for peer in event.peers if peer in calls):
            pair, shared = (waiter.session, other.session), {*facts.leads_of(waiter)} & {*facts.leads_of(other)}
            if not shared or pair in told or not isinstance(other.operation, BUYERS + SELLERS):
                continue
            told.add(pair)
            yield (
                f"{brief(waiter.operation)} of session {pair[0]} waits for {brief(other.operation)} of session "
                f"{pair[1]}, instead of being told that another buyer is at {', '.join(sorted(shared))}",
                (("waits", str(pair[0])), ("for", str(pair[1]))),
            )


FAILS_FAST = Property(
    "fails-fast",
    "a validation never waits for another buyer",
    judge,
    concerns=lambda facts: bool(facts.attempts(Validate)),
    reads_events=True,
)
