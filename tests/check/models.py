"""Three sequential models (a register, a bank, a queue), and histories that were made by really interleaving them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from harness.words.history import Call, Result, Status

Operation = tuple[Any, ...]


def ok(**value: Any) -> Result:
    return Result(Status.OK, value=tuple(value.items()))


def refused(code: str) -> Result:
    return Result(Status.REFUSED, code)


BUSY = Result(Status.BUSY, "55P03")
FAILED = Result(Status.FAILED, "57014")
UNKNOWN = Result(Status.UNKNOWN)


@dataclass(frozen=True)
class Model:
    initial: Hashable
    apply: Callable[[Any, Operation], tuple[Result, Any]]
    operations: st.SearchStrategy[Operation]


def register(state: int, operation: Operation) -> tuple[Result, int]:
    match operation:
        case ("write", value):
            return ok(), value
        case ("swap", old, new):
            return (ok(), new) if state == old else (refused("changed"), state)
        case _:
            return ok(value=state), state


def bank(state: tuple[int, int], operation: Operation) -> tuple[Result, tuple[int, int]]:
    """The balance, and the number of things bought."""
    balance, bought = state
    match operation:
        case ("buy", price) if price > balance:
            return refused("insufficient"), state
        case ("buy", price):
            return ok(balance=balance - price), (balance - price, bought + 1)
        case ("deposit", amount):
            return ok(), (balance + amount, bought)
        case _:
            return ok(balance=balance), state


def queue(state: tuple[int, ...], operation: Operation) -> tuple[Result, tuple[int, ...]]:
    match operation:
        case ("put", value):
            return ok(), (*state, value)
        case _:
            return (ok(value=state[0]), state[1:]) if state else (refused("empty"), state)


SMALL = st.integers(0, 2)
MODELS = {
    "register": Model(
        0,
        register,
        st.one_of(st.just(("read",)), st.tuples(st.just("write"), SMALL), st.tuples(st.just("swap"), SMALL, SMALL)),
    ),
    "bank": Model(
        (10, 0),
        bank,
        st.one_of(
            st.tuples(st.just("buy"), st.sampled_from([4, 10])),
            st.tuples(st.just("deposit"), st.just(4)),
            st.just(("balance",)),
        ),
    ),
    "queue": Model((), queue, st.one_of(st.tuples(st.just("put"), SMALL), st.just(("take",)))),
}


@dataclass(frozen=True)
class Recorded:
    """A history of a correct implementation: each operation took effect at one moment between its two events."""

    calls: tuple[Call, ...]
    final: Any


@st.composite
def histories(draw: st.DrawFn, model: Model, sessions: int = 3, size: int = 5) -> Recorded:
    """Up to ``size`` operations; each has an invocation, a moment of effect (or none) and a return."""
    operations = draw(st.lists(st.tuples(st.integers(0, sessions - 1), model.operations), min_size=1, max_size=size))
    fates = draw(
        st.lists(
            st.sampled_from(["answered"] * 6 + ["busy", "failed", "lost before", "lost after"]),
            min_size=len(operations),
            max_size=len(operations),
        )
    )
    pending: list[list[tuple[str, int]]] = [[] for _ in range(sessions)]
    for number, (session, _operation) in enumerate(operations):
        pending[session] += [("invoke", number), ("effect", number), ("return", number)]
    state = model.initial
    invoked: dict[int, int] = {}
    answers: dict[int, Result] = {}
    calls: dict[int, Call] = {}
    step = 0
    while any(pending):
        session = draw(st.sampled_from([s for s, events in enumerate(pending) if events]))
        event, number = pending[session].pop(0)
        fate = fates[number]
        if event == "invoke":
            invoked[number] = step
        elif event == "effect":
            answers[number] = {"busy": BUSY, "failed": FAILED}.get(fate, UNKNOWN)
            if fate in ("answered", "lost after"):
                answer, state = model.apply(state, operations[number][1])
                answers[number] = answer if fate == "answered" else UNKNOWN
        else:
            returned = None if fate.startswith("lost") else step
            calls[number] = Call(session, operations[number][1], invoked[number], returned, answers[number])
        step += 1
    return Recorded(tuple(calls[number] for number in sorted(calls)), state)


@st.composite
def corrupted(draw: st.DrawFn, model: Model, size: int = 5) -> Recorded:
    """A recorded history with one answer of another, or with another final state: often, not always, inexplicable."""
    recorded = draw(histories(model, size=size))
    answered = [i for i, call in enumerate(recorded.calls) if call.result.status in (Status.OK, Status.REFUSED)]
    change_an_answer = draw(st.booleans())
    if answered and change_an_answer:
        changed = draw(st.sampled_from(answered))
        other, _ = model.apply(draw(st.sampled_from([recorded.final, model.initial])), draw(model.operations))
        calls = tuple(replace(c, result=other) if i == changed else c for i, c in enumerate(recorded.calls))
        return replace(recorded, calls=calls)
    _, final = model.apply(recorded.final, draw(model.operations))
    return replace(recorded, final=final)
