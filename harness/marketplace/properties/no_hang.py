"""no-hang: nobody waits for a stranger.

Two operations that want the same lead, purchase or event must queue: that is what the locks are for. A *stall* is
something else: an operation waits, through one that it shares nothing with but the workspace, for a third with which
it shares nothing at all. It happens where a transaction sits on a row that many need (the credits of a workspace)
while it waits for another row. A wait that never ends is found by the engine's watchdog, which says HANG.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.marketplace.operations import (
    Buy,
    BuyCredits,
    Checkout,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    Read,
    Refund,
    Request,
    Sweep,
    TopUp,
    Validate,
)
from harness.marketplace.properties.facts import Facts, brief
from harness.marketplace.properties.property import Judgement, Property
from harness.words.history import Call, EventKind

Thing = tuple[str, str]


def judge(facts: Facts) -> Judgement:
    waiting: dict[int, tuple[int, ...]] = {}
    told: set[tuple[int, int]] = set()
    for event in facts.events:
        if event.kind is not EventKind.WAIT:
            # Any other sign of life of a session ends its wait.
            waiting.pop(event.session, None)
            continue
        waiting[event.session] = event.peers
        calls = running(facts, event.step)
        for waiter, through, stranger in stalls(facts, waiting, calls):
            if (waiter.session, stranger.session) in told:
                continue
            told.add((waiter.session, stranger.session))
            via = "" if through is stranger else f", through {brief(through.operation)},"
            yield (
                f"{brief(waiter.operation)} of session {waiter.session} waits{via} for {brief(stranger.operation)} of "
                f"session {stranger.session}, with which it shares no lead, purchase, event or workspace",
                (("waits", str(waiter.session)), ("for", str(stranger.session))),
            )


def stalls(
    facts: Facts, waiting: dict[int, tuple[int, ...]], calls: dict[int, Call]
) -> Iterator[tuple[Call, Call, Call]]:
    """Who waits, through whom, for which stranger."""
    for session, peers in waiting.items():
        waiter = calls.get(session)
        if waiter is None:
            continue
        for peer in peers:
            through = calls.get(peer)
            if through is None or shares_more_than_workspace(facts, waiter, through):
                continue
            for stranger in (calls[far] for far in behind(waiting, peer) if far in calls and far != session):
                if not things(facts, waiter) & things(facts, stranger):
                    yield waiter, through, stranger


def behind(waiting: dict[int, tuple[int, ...]], session: int) -> list[int]:
    """A session and all that it waits for, directly or not."""
    reached = [session]
    for known in reached:
        reached += [peer for peer in waiting.get(known, ()) if peer not in reached]
    return reached


def running(facts: Facts, step: int) -> dict[int, Call]:
    """The operation that each session is in at a step."""
    return {
        call.session: call
        for call in facts.calls
        if call.invoked <= step and (call.returned is None or step <= call.returned)
    }


def shares_more_than_workspace(facts: Facts, one: Call, other: Call) -> bool:
    return any(kind != "workspace" for kind, _ in things(facts, one) & things(facts, other))


def things(facts: Facts, call: Call) -> frozenset[Thing]:
    """What an operation is about. A sweep is about every reservation there may be."""
    operation = call.operation
    found: set[Thing] = {("lead", lead) for lead in facts.leads_of(call)}
    purchases: tuple[str, ...] = ()
    match operation:
        case Validate(workspace, _):
            found.add(("workspace", workspace))
        case (
            Buy(workspace, _, name)
            | Checkout(workspace, _, name)
            | CompleteCredit(name, workspace)
            | Read(workspace, name)
        ):
            found.add(("workspace", workspace))
            purchases = (name,)
        case Request(workspace, _, name, key):
            found |= {("workspace", workspace), ("key", f"{workspace} {key}")}
            purchases = (name,)
        case BuyCredits(workspace, _, name, key):
            found |= {("workspace", workspace), ("key", f"{workspace} {key}"), ("top-up", name)}
        case CompleteStripe(name) | Refund(name):
            purchases = (name,)
        case Deliver(event, _, name):
            found.add(("event", event))
            purchases = (name,)
        case TopUp(name):
            found |= {("top-up", name), ("workspace", facts.start.top_ups[name].workspace)}
        case Sweep():
            found |= {("lead", lead) for claim in facts.claims.values() for lead in claim.leads}
            purchases = tuple(facts.claims)
    for name in purchases:
        found.add(("purchase", name))
        if name in facts.claims:
            found.add(("workspace", facts.claims[name].workspace))
    return frozenset(found)


NO_HANG = Property("no-hang", "nobody waits for an operation that is none of its business", judge, reads_events=True)
