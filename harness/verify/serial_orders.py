"""What would have been, had the operations of a run been done one after the other, by the sequential model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from harness.check.linearizability import predecessors
from harness.marketplace.model import apply, initial, state_of
from harness.marketplace.properties.facts import Facts, brief
from harness.marketplace.properties.serializable import agrees, outline
from harness.marketplace.start import State
from harness.verify.story import plain, tell_result
from harness.words.history import Call, History
from harness.words.things import NOTHING, Thing, equal, things_at_first, things_in

TOLD_MAX = 6
"""Orders that are told, the nearest to what was seen first."""

TRIED_MAX = 720
"""Orders that are tried: all of six operations."""


def serial_orders(history: History, sessions: Sequence[str]) -> dict[str, Any]:
    """The parts ``serial_orders`` and ``serial_orders_more`` of a counterexample, each where there is any.

    Every operation is asked for, one that a fault or a lock has refused as well: alone it would not have been.
    """
    facts = Facts(history)
    calls = history.calls
    found: dict[tuple[str, ...], tuple[int, dict[str, Any]]] = {}
    for order in islice(_orders(predecessors(calls), ()), TRIED_MAX):
        told = tuple(
            f"{sessions[calls[i].session]}: {brief(calls[i].operation)}" for i in order if calls[i].invoked >= 0
        )
        if told and told not in found:
            found[told] = _played(facts, order, told, sessions)
    nearest = sorted(found.values(), key=lambda each: each[0])
    parts: dict[str, Any] = {}
    if nearest:
        parts["serial_orders"] = [each for _, each in nearest[:TOLD_MAX]]
    if len(nearest) > TOLD_MAX:
        parts["serial_orders_more"] = len(nearest) - TOLD_MAX
    return parts


def _orders(before: Sequence[int], done: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The orders in which everything comes after what must come before it (as bits)."""
    if len(done) == len(before):
        yield done
        return
    taken = sum(1 << i for i in done)
    for i, needed in enumerate(before):
        if not taken >> i & 1 and not needed & ~taken:
            yield from _orders(before, (*done, i))


def _played(
    facts: Facts, order: Sequence[int], told: Sequence[str], sessions: Sequence[str]
) -> tuple[int, dict[str, Any]]:
    """In how many places the run is another, and the entry of the run document."""
    market = initial(facts.start, reserving=facts.final.reservations is not None)
    answers, wrong = [], []
    for i in order:
        call = facts.calls[i]
        answer, market = apply(market, call.operation)
        if call.invoked < 0:
            continue
        name = sessions[call.session]
        answers.append(f"{name} is told {tell_result(answer)}")
        if not agrees(answer, call.result):
            wrong.append(f"{name} was told {_seen(call)}, not {tell_result(answer)}")
    state = state_of(market)
    things = things_in(plain(state))
    first = things_at_first(plain(facts.start))
    stands = [f"{' '.join(thing)} {now}" for thing, now in things.items() if not equal(first.get(thing, "0"), now)]
    wrong += _apart(outline(facts.final, facts), outline(state, facts))
    return len(wrong), {
        "order": list(told),
        "ends": "; ".join([*answers, ", ".join(stands) or "nothing is changed"]),
        "differs": "; ".join(wrong),
    }


def _seen(call: Call) -> str:
    return "nothing" if call.returned is None else tell_result(call.result)


def _apart(seen: State, valid: State) -> Iterator[str]:
    """What stands in the end as it would not have."""
    if seen == valid:
        return
    was, would = things_in(plain(seen)), things_in(plain(valid))
    for thing in dict.fromkeys([*was, *would]):
        now, other = _stands(was, thing), _stands(would, thing)
        if not equal(now, other):
            yield f"{' '.join(thing)} ended {now}, not {other}"


def _stands(things: Mapping[Thing, str], thing: Thing) -> str:
    """An outline has no word for a lead that is not sold."""
    value = things.get(thing, NOTHING)
    return {"": "unsold", NOTHING: "missing"}.get(value, value)
