"""The properties of a load run: what is said of each, and what put it to the test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.load.disturbance import Disturbance, unexplained
from harness.load.figures import Figures, Round
from harness.load.finding import HistoryVerdict
from harness.load.growth import Growth
from harness.load.nemesis import Strikes
from harness.words.history import Status
from harness.words.verdict import Verdict


class Judged(NamedTuple):
    """A verdict on one property, from ``checked`` things that put it to the test, and why."""

    id: str
    verdict: Verdict
    checked: int
    why: Sequence[str] = ()


def tests_of(counts: Mapping[str, int], figures: Figures) -> Mapping[str, int]:
    """What put each property of the history to the test, by the log where it is there, else by what clients were told.

    ``counts`` are those of ``HistoryVerdict``.
    """
    statuses = Counter[str]()
    for operation in figures.operations.values():
        statuses.update(operation.counts)
    delivered = figures.operations["deliver"].counts[Status.OK] if "deliver" in figures.operations else 0
    refused = figures.refusals
    charges, webhooks = counts.get("charges", 0), counts.get("webhooks", 0)
    return {
        "sold-once": counts.get("leads_sold", 0),
        "no-overdraft": charges + refused["insufficient_credits"],
        "conservation": counts.get("entries", 0),
        "charged-once": charges,
        "all-or-nothing": counts.get("endings", 0),
        "terminal-states": counts.get("endings", 0),
        "no-lost-acknowledgement": counts.get("ok", 0),
        "no-false-conflict": statuses[Status.REFUSED] + statuses[Status.BUSY],
        "serializable": sum(statuses[each] for each in (Status.OK, Status.REFUSED, Status.BUSY)),
        # Deliveries beyond the first of their event.
        "webhook-idempotent": max(0, delivered - webhooks),
        "paid-is-served": webhooks,
    }


OF_WEBHOOKS = ("webhook-idempotent", "paid-is-served")


def history_judged(verdict: HistoryVerdict, figures: Figures, required: Sequence[str] = ()) -> list[Judged]:
    """The properties that the check of the history has judged, each with the first finding that breaks it.

    Those of webhooks are not applicable where none was delivered, unless they are ``required``.
    """
    why: dict[str, list[str]] = {}
    for each in verdict.shown:
        for name in each.finding.properties:
            why.setdefault(name, []).append(each.finding.why)
    judged = []
    for name, checked in tests_of(verdict.counts, figures).items():
        if broken := verdict.broken.get(name, 0):
            judged.append(Judged(name, Verdict.VIOLATED, broken, why.get(name, ())))
        elif name in OF_WEBHOOKS and name not in required and "deliver" not in figures.operations:
            judged.append(Judged(name, Verdict.NOT_APPLICABLE, 0, ["no webhook was delivered"]))
        else:
            judged.append(Judged(name, Verdict.HOLDS if checked else Verdict.NOT_EXERCISED, checked))
    return judged


def errors_explained(figures: Figures, disturbances: Sequence[Disturbance]) -> Judged:
    """Every 5xx and every lost answer falls in a kill or a restart."""
    found = unexplained(figures.disturbed, disturbances)
    why = [f"{each.what}, at {each.begin - figures.first:.2f} s, and nothing was disturbed then" for each in found]
    verdict = Verdict.VIOLATED if found else Verdict.HOLDS if figures.requests else Verdict.NOT_EXERCISED
    return Judged("errors-explained", verdict, figures.requests, why)


def nothing_grows(growths: Sequence[Growth], gap: str) -> Judged:
    """Connections, locks and memory; not applicable where the run was too short to say.

    ``gap`` is why a run that was long enough was not looked at to its end.
    """
    judged = [each for each in growths if each.grows is not None]
    why = [
        f"{each.name} went from {each.first:.0f} to {each.last:.0f}, {each.per_minute:+.2%} a minute"
        for each in judged
        if each.grows
    ]
    if gap and not why:
        return Judged("no-growth", Verdict.NOT_EXERCISED, 0, [gap])
    verdict = Verdict.VIOLATED if why else Verdict.HOLDS if judged else Verdict.NOT_APPLICABLE
    return Judged("no-growth", verdict, len(judged), why)


def errors_resolved(figures: Figures) -> Judged:
    """Every request with a 5xx or a lost answer was asked again until the answer was clear.

    What the end of the load cut off, nobody could ask again: the log says what became of it.
    """
    why = [f"{each.what}, at {each.begin - figures.first:.2f} s, and never a clear answer" for each in figures.given_up]
    errors = len(figures.disturbed)
    return Judged("errors-resolved", _verdict(why, errors), errors, why)


def one_winner(rounds: Sequence[Round]) -> Judged:
    """Of all who want one lead exactly one gets it: two never, and one in every race that was finished."""
    races = [each for each in rounds if each.buyers > 1]
    finished = sum(each.finished for each in races)
    why = [
        f"{each.winners} of {each.buyers} buyers got one lead"
        for each in races
        if each.winners > 1 or (each.finished and not each.winners)
    ]
    return Judged("one-winner", _verdict(why, finished), finished, why)


def struck(strikes: Strikes, disturbances: Sequence[Disturbance]) -> Judged:
    """Whether what was to be struck was struck; not applicable where nothing was to be."""
    if not strikes:
        return Judged("struck", Verdict.NOT_APPLICABLE, 0)
    kinds = {each.kind for each in disturbances}
    why = []
    if strikes.kills_per_second and "kill" not in kinds:
        why.append("no backend was terminated")
    if strikes.crashes and "crash" not in kinds:
        why.append("the server was not crashed")
    return Judged("struck", Verdict.NOT_EXERCISED if why else Verdict.HOLDS, len(disturbances), why)


def _verdict(why: Sequence[str], checked: int) -> Verdict:
    return Verdict.VIOLATED if why else Verdict.HOLDS if checked else Verdict.NOT_EXERCISED
