"""What is told of findings when there is little time: of every property one run, made as small as there is time for.

A scenario that breaks a property that another one breaks as well adds nothing to the verdict. It is explained, too,
while there is time: its run may turn out to be the smaller one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from harness.verify.enquiry import Enquiry


def explain(
    enquiries: Sequence[Enquiry], seconds: float | None, *, clock: Callable[[], float] = time.monotonic
) -> None:
    """Explain findings, the smallest of every property first; all of them where there is no limit of ``seconds``.

    Once the limit is over nothing is made smaller any more, and no other run of a property is looked at that has one
    that went the same way again. What each shrink is given is an equal part of what is left.
    """
    deadline = float("inf") if seconds is None else clock() + seconds
    found = _in_order(enquiries)
    settled: set[str] = set()
    for number, (enquiry, property_id) in enumerate(found):
        now = clock()
        if now >= deadline and property_id in settled:
            continue
        if enquiry.explain(property_id, now + max(0.0, deadline - now) / (len(found) - number)):
            settled.add(property_id)


def _in_order(enquiries: Sequence[Enquiry]) -> list[tuple[Enquiry, str]]:
    """The smallest run of each property, then the second of each, and so on."""
    ranked: list[tuple[int, Enquiry, str]] = []
    findings = [(each, finding) for each in enquiries for finding in each.campaign.tally.findings.values()]
    places: dict[str, int] = {}
    for enquiry, finding in sorted(findings, key=lambda found: found[1].size):
        property_id = finding.violation.property
        places[property_id] = place = places.get(property_id, -1) + 1
        ranked.append((place, enquiry, property_id))
    return [(enquiry, property_id) for _, enquiry, property_id in sorted(ranked, key=lambda each: each[0])]
