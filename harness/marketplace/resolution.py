"""What became of the operations whose answer nobody got, as far as the answers of the others and the end tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from harness.check.linearizability import Witness, find_witness
from harness.marketplace.model import apply, initial, state_of
from harness.marketplace.properties.facts import Facts
from harness.marketplace.properties.serializable import agrees, outline
from harness.words.history import Call, History, Result, Status


class Resolution(StrEnum):
    """Of an operation with an unknown outcome."""

    COMMITTED = "committed"
    """Only a serial order in which it did its work explains the rest."""
    ROLLED_BACK = "rolled_back"
    """Only one without it does."""
    AMBIGUOUS = "ambiguous"
    """Both do: it made no difference that anybody can see."""
    UNEXPLAINED = "unexplained"
    """Neither does; the history is not serializable."""


_DID_ITS_WORK = "did its work"


def resolve(history: History) -> Counter[Resolution]:
    """How many of the unknown outcomes of a history came to what; each is judged with the others left open."""
    counted: Counter[Resolution] = Counter()
    for number, call in enumerate(history.calls):
        if call.result.status is Status.UNKNOWN:
            others = [*history.calls[:number], *history.calls[number + 1 :]]
            # Nobody precedes it and it precedes nobody but by its invocation: it may have run at any time since.
            done = replace(call, session=-1, returned=None, result=Result(Status.OK, _DID_ITS_WORK))
            counted[_RESOLVED[_explains(history, [*others, done]), _explains(history, others)]] += 1
    return counted


_RESOLVED = {
    (True, False): Resolution.COMMITTED,
    (False, True): Resolution.ROLLED_BACK,
    (True, True): Resolution.AMBIGUOUS,
    (False, False): Resolution.UNEXPLAINED,
}


def _explains(history: History, calls: Sequence[Call]) -> bool:
    facts = Facts(history)
    before = initial(facts.start, reserving=facts.final.reservations is not None)
    final = outline(facts.final, facts)

    def view(market: Any) -> Any:
        return outline(state_of(market), facts)

    found = find_witness(
        calls, before, apply, final=final, view=view, matches=_matches, may_be_busy=lambda _call, _others: True
    )
    return isinstance(found, Witness)


def _matches(model: Result, seen: Result) -> bool:
    if seen.code == _DID_ITS_WORK:
        return model.status is Status.OK and not model.get("already_completed") and not model.get("replayed")
    return agrees(model, seen)
