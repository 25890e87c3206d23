"""no-deadlock: no two operations ever wait for each other, whether or not one is then made to retry."""

from __future__ import annotations

from harness.marketplace.properties.facts import Facts
from harness.marketplace.properties.property import Judgement, Property
from harness.words.history import EventKind

DEADLOCK_DETECTED = "40P01"


def judge(facts: Facts) -> Judgement:
    for event in facts.events:
        if event.kind is EventKind.DEADLOCK:
            circle = tuple(dict.fromkeys((event.session, *event.peers)))
            names = " and ".join(f"session {each}" for each in circle)
            yield (
                f"{names} waited for each other at step {event.step}",
                tuple(("session", str(each)) for each in circle),
            )
            return
    for call in facts.calls:
        if call.result.code == DEADLOCK_DETECTED:
            yield (
                f"session {call.session} was broken off by the server's deadlock detector ({DEADLOCK_DETECTED})",
                (("session", str(call.session)),),
            )


NO_DEADLOCK = Property("no-deadlock", "no operations ever wait for each other in a circle", judge, reads_events=True)
