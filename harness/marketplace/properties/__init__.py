"""What must hold: the oracle.

Every property is a pure function of a history, in a file of its own, with a stable id. ``check`` judges a history by
the ids that its scenario names. ``only-service-role`` alone is about the catalog, not about histories: ``grants``.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.marketplace.properties.all_or_nothing import ALL_OR_NOTHING
from harness.marketplace.properties.charged_once import CHARGED_ONCE
from harness.marketplace.properties.conservation import CONSERVATION
from harness.marketplace.properties.facts import Facts
from harness.marketplace.properties.fails_fast import FAILS_FAST
from harness.marketplace.properties.key_once import KEY_ONCE
from harness.marketplace.properties.no_deadlock import NO_DEADLOCK
from harness.marketplace.properties.no_false_conflict import NO_FALSE_CONFLICT
from harness.marketplace.properties.no_hang import NO_HANG
from harness.marketplace.properties.no_leak import NO_LEAK
from harness.marketplace.properties.no_lost_acknowledgement import NO_LOST_ACKNOWLEDGEMENT
from harness.marketplace.properties.no_overdraft import NO_OVERDRAFT
from harness.marketplace.properties.paid_is_served import PAID_IS_SERVED
from harness.marketplace.properties.property import Property
from harness.marketplace.properties.serializable import SERIALIZABLE
from harness.marketplace.properties.sold_once import SOLD_ONCE
from harness.marketplace.properties.terminal_states import TERMINAL_STATES
from harness.marketplace.properties.webhook_idempotent import WEBHOOK_IDEMPOTENT
from harness.marketplace.start import Start
from harness.words.history import EventKind, History
from harness.words.verdict import Violation

PROPERTIES: dict[str, Property] = {
    each.id: each
    for each in (
        SOLD_ONCE,
        NO_OVERDRAFT,
        CONSERVATION,
        CHARGED_ONCE,
        ALL_OR_NOTHING,
        WEBHOOK_IDEMPOTENT,
        KEY_ONCE,
        TERMINAL_STATES,
        PAID_IS_SERVED,
        NO_LOST_ACKNOWLEDGEMENT,
        SERIALIZABLE,
        NO_DEADLOCK,
        NO_HANG,
        FAILS_FAST,
        NO_FALSE_CONFLICT,
        NO_LEAK,
    )
}
"""Id to property, safety first: of all that a history breaks, the first names it best."""

BUYING = (
    "sold-once",
    "no-overdraft",
    "conservation",
    "charged-once",
    "all-or-nothing",
    "terminal-states",
    "no-lost-acknowledgement",
    "serializable",
)
"""What a scenario with a purchase in it is about."""

WAITING = ("no-deadlock", "no-hang")
"""What a scenario with two sessions is about."""

RACING = (*BUYING, *WAITING, "no-false-conflict")
"""What a scenario in which buyers compete is about."""

STRIPE = (*BUYING, "paid-is-served", *WAITING)
"""What a scenario with a captured payment is about."""


def check(history: History, ids: Sequence[str]) -> list[Violation]:
    """Every violation of these properties, in the order of ``ids``. What is not applicable violates nothing.

    Judgements are remembered by answers, order and final state: thousands of schedules that end alike cost one.
    """
    memo = _memo_of(history.start)
    facts, key = Facts(history), (tuple(ids), *_abstract(history))
    quiet = memo.get(key)
    if quiet is None:
        quiet = memo[key] = {
            each: _violations(PROPERTIES[each], facts) for each in ids if not PROPERTIES[each].reads_events
        }
    eventful = any(event.kind in _TELLING for event in history.events)
    found: list[Violation] = []
    for each in ids:
        if each in quiet:
            found += quiet[each]
        elif eventful or any(call.result.code for call in history.calls):
            found += _violations(PROPERTIES[each], facts)
    return found


def check_once(history: History, ids: Sequence[str]) -> list[Violation]:
    """As ``check``, for a history that is like no other: nothing is remembered, which for long ones would cost most."""
    facts = Facts(history)
    return [violation for each in ids for violation in _violations(PROPERTIES[each], facts)]


def not_applicable(property_id: str, history: History) -> str | None:
    """Why a history says nothing about a property; None when it can be judged.

    A subject that lacks a probe, or operations, makes a property not applicable, which is never a pass.
    """
    return _not_applicable(PROPERTIES[property_id], Facts(history))


def _not_applicable(judged: Property, facts: Facts) -> str | None:
    for part in judged.needs:
        if getattr(facts.final, part) is None:
            return f"the subject has no probe for {part}"
    if not judged.concerns(facts):
        return "nothing in this history concerns it"
    return None


def _violations(judged: Property, facts: Facts) -> list[Violation]:
    if _not_applicable(judged, facts) is not None:
        return []
    return [Violation(judged.id, why, guilty) for why, guilty in judged.judge(facts)]


_TELLING = (EventKind.WAIT, EventKind.DEADLOCK)

_MEMOS_MAX = 64
_ENTRIES_MAX = 20_000
_Memo = dict[tuple[object, ...], dict[str, list[Violation]]]
_memos: dict[int, tuple[Start, _Memo]] = {}


def _memo_of(start: Start) -> _Memo:
    """The judgements from one start. A start is not hashable, but a scenario has one and the same for all its runs."""
    known = _memos.get(id(start))
    if known is None or len(known[1]) > _ENTRIES_MAX:
        if len(_memos) >= _MEMOS_MAX:
            _memos.clear()
        known = _memos[id(start)] = (start, {})
    return known[1]


def _abstract(history: History) -> tuple[object, ...]:
    """All of a history that a property may depend on, but for the events: step numbers become an order."""
    calls = history.calls
    order = tuple(
        (one.precedes(other), other.precedes(one)) for index, one in enumerate(calls) for other in calls[index + 1 :]
    )
    return tuple((call.session, call.operation, call.result) for call in calls), order, history.final, history.leaks
