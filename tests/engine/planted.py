"""Programs in memory with a bug that is known, and the judge who sees it."""

from __future__ import annotations

from collections.abc import Callable

from harness.words.history import History
from harness.words.verdict import Violation

from .memory_server import Action, Data, Statement
from .memory_trial import MemoryTrial

PADDING = ("11", "12", "13")
"""Steps that do nothing."""


def put(name: str) -> Action:
    def write(data: Data) -> None:
        data[name] = 1

    return write


def put_if(condition: str, name: str) -> Action:
    """Read one, write the other, without a step in between."""

    def write(data: Data) -> None:
        if data[condition]:
            data[name] = 1

    return write


def sell() -> Statement:
    """Check, then act: with a step in between."""

    def check(data: Data) -> Statement:
        return ("2", take) if data["seats"] else ()

    def take(data: Data) -> None:
        data["seats"] -= 1

    return ("1", check, "3")


def double_sale() -> MemoryTrial:
    """One preemption: two buyers who both find the last seat free."""
    return MemoryTrial([[[sell()]], [[sell()]]], {"seats": 1})


def wrong_order() -> MemoryTrial:
    """No preemption: the second session before the first."""
    first: Statement = (*PADDING, put("began"), *PADDING)
    second: Statement = (*PADDING, put_unless("began", "bug"), *PADDING)
    return MemoryTrial([[[first]], [[second]]], {"began": 0, "bug": 0})


def put_unless(condition: str, name: str) -> Action:
    def write(data: Data) -> None:
        if not data[condition]:
            data[name] = 1

    return write


def to_and_fro() -> MemoryTrial:
    """Two preemptions: each session must see what the other did since its own last step."""
    first: Statement = (*PADDING, put("a"), "1", put_if("b", "c"), *PADDING)
    second: Statement = (*PADDING, put_if("a", "b"), "2", put_if("c", "bug"), *PADDING)
    return MemoryTrial([[[first]], [[second]]], {"a": 0, "b": 0, "c": 0, "bug": 0})


PLANTED: dict[int, Callable[[], MemoryTrial]] = {0: wrong_order, 1: double_sale, 2: to_and_fro}
"""By the fewest preemptions that show the bug."""


def judge(history: History) -> list[Violation]:
    final = dict(history.final)
    if final.get("seats", 0) < 0:
        return [Violation("sold-once", f"{final['seats']} seats are left")]
    return [Violation("no-bug", "the bug was seen")] if final.get("bug") else []
