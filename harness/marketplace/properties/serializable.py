"""serializable: some serial order of the same operations gives every answer and the final state.

Real time is respected, so this is strict serializability (Papadimitriou, "The Serializability of Concurrent Database
Updates", JACM 1979; Herlihy and Wing, TOPLAS 1990), searched for in the sequential model of ``model.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import psycopg

from harness.check.linearizability import Witness, find_witness
from harness.check.serial_outcomes import Explanation, explain
from harness.marketplace.market import Market
from harness.marketplace.model import apply, initial, state_of
from harness.marketplace.operations import Buy, Request
from harness.marketplace.properties.facts import Facts, brief
from harness.marketplace.properties.property import Judgement, Property
from harness.marketplace.refusals import REFUSALS
from harness.marketplace.start import LeadState, State
from harness.words.history import Call, EventKind, Result, Status

OF_ITS_OWN = ("22", "23", "42", "P0", "XX")
"""How the SQLSTATEs begin that nobody from outside brings about: data, a constraint, a mistake in the code."""

ANSWERS_MAX = 2
"""How many wrong answers a sentence tells."""


def judge(facts: Facts) -> Judgement:
    seen = outline(facts.final, facts)

    def view(market: Market) -> State:
        return outline(state_of(market), facts)

    before = initial(facts.start, reserving=facts.final.reservations is not None)
    question: dict[str, Any] = {"apply": apply, "final": seen, "view": view, "matches": agrees}
    found = find_witness(facts.calls, before, **question)
    if isinstance(found, Witness):
        if broken := unprovoked(facts):
            failures = ", ".join(
                f"{brief(call.operation)} of session {call.session} with {named(call.result.code)}" for call in broken
            )
            yield f"nothing struck, and yet an error ended {failures}: no serial order has it", told(broken)
        return
    if found.unfounded_busy:
        call = found.unfounded_busy[0]
        yield f"{brief(call.operation)} was told to try again, and nothing ran beside it", told((call,))
        return
    yield sentence(facts, explain(facts.calls, before, **question)), told(facts.calls)


def unprovoked(facts: Facts) -> tuple[Call, ...]:
    """The calls that ended in an error of their own in a run without a fault: an answer that no serial order gives."""
    if any(event.kind is EventKind.FAULT for event in facts.events):
        return ()
    return tuple(
        call for call in facts.calls if call.result.status is Status.FAILED and call.result.code.startswith(OF_ITS_OWN)
    )


def named(sqlstate: str) -> str:
    """An SQLSTATE with the name of its condition, where it has one."""
    try:
        return f"{sqlstate} ({psycopg.errors.lookup(sqlstate).__name__})"
    except KeyError:
        return sqlstate


def sentence(facts: Facts, explanation: Explanation) -> str:
    """What was seen, beside what the nearest serial order would have shown."""
    wrong = explanation.closest.answers
    if not wrong:
        return explanation.sentence(show=show)
    parts = [
        f"session {call.session} was told {show(answer.seen)} for {brief(call.operation)}, not {show(answer.valid)}"
        for answer in wrong[:ANSWERS_MAX]
        for call in (facts.calls[int(answer.path)],)
    ]
    more = f", and {len(wrong) - ANSWERS_MAX} more" if len(wrong) > ANSWERS_MAX else ""
    return f"{'; '.join(parts)}{more}: no serial order gives these answers"


def told(calls: Iterable[Call]) -> tuple[tuple[str, str], ...]:
    return tuple((f"session {call.session}", f"{brief(call.operation)}: {show(call.result)}") for call in calls)


def agrees(model: Result, seen: Result) -> bool:
    """The same answer, as far as the subject tells: it may use words of its own and leave values out."""
    if model.status != seen.status:
        return False
    if model.code != seen.code and seen.code in REFUSALS:
        return False
    told = dict(seen.value)
    return all(told[name] == value for name, value in model.value if name in told)


def outline(state: State, facts: Facts) -> State:
    """A state without what cannot matter: what the subject does not show, and what it may note in its own way.

    Left out are the parts that were not probed, workspaces that the start does not name, words for leads other than
    sold, charges from before the start, and credit purchases that were made and never completed: they hold nothing and
    bind nobody, and whether a refused buyer leaves such a row behind is the subject's own affair.
    """
    final = facts.final
    made = {
        call.operation.purchase
        for call in facts.attempts(Buy, Request)
        if facts.claims[call.operation.purchase].method == "credits"
    }
    inert = {name for name, status in state.purchases if name in made and status not in ("completed", "refunded")}
    old = {name for name, status in facts.started.items() if status != "pending"}
    return replace(
        state,
        balances=tuple(pair for pair in state.balances if pair[0] in facts.start.workspaces),
        leads=tuple(
            (name, LeadState("sold" if lead.status == "sold" else "", lead.sold_count)) for name, lead in state.leads
        ),
        purchases=tuple(pair for pair in state.purchases if pair[0] not in inert),
        items=tuple(pair for pair in state.items if pair[0] not in inert),
        ledger=None,
        charges=None
        if final.charges is None
        else tuple(sorted(charge for charge in state.charges or () if charge[0] not in old)),
        reservations=None
        if final.reservations is None
        else tuple(pair for pair in state.reservations or () if pair[1]),
        top_ups=None if final.top_ups is None else state.top_ups,
        keys=None if final.keys is None else state.keys,
    )


def show(value: State | Result) -> str:
    """One line for people: the values that differ between runs."""
    if isinstance(value, Result):
        told = ", ".join(f"{name}={part}" for name, part in value.value)
        return " ".join(word for word in (value.status.value, value.code, f"({told})" if told else "") if word)
    balances = ", ".join(f"{name} {amount}" for name, amount in value.balances)
    sold = ", ".join(f"{name} x{lead.sold_count}" for name, lead in value.leads if lead.sold_count) or "nothing"
    purchases = ", ".join(f"{name} {status}" for name, status in value.purchases)
    return f"({'; '.join(part for part in (balances, f'sold {sold}', purchases) if part)})"


SERIALIZABLE = Property(
    "serializable",
    "answers and final state are those of some serial order of the same operations, real time respected",
    judge,
    needs=("balances", "leads", "purchases"),
)
