"""With little time one run of every property is explained, one that goes the same way again; with enough, all are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from harness.verify.explain import explain


class Fake:
    """A scenario with findings, property to size; each takes a second to explain, and some do not repeat."""

    def __init__(self, name: str, clock: list[float], log: list[tuple[str, float]], **sizes: int) -> None:
        self.name = name
        self._clock = clock
        self._log = log
        self.unfaithful = False
        findings = {
            each: SimpleNamespace(size=(1, size), violation=SimpleNamespace(property=each))
            for each, size in sizes.items()
        }
        self.campaign = SimpleNamespace(tally=SimpleNamespace(findings=findings))

    def explain(self, property_id: str, deadline: float) -> bool:
        self._log.append((f"{self.name}:{property_id}", deadline - self._clock[0]))
        self._clock[0] += 1
        return not self.unfaithful


def explained(seconds: float | None, *, unfaithful: str = "") -> list[tuple[str, float]]:
    """What was explained, and how long it had, of two scenarios in which the same properties are broken."""
    clock = [100.0]
    log: list[tuple[str, float]] = []
    fakes: Any = [Fake("x", clock, log, sold=5, paid=9), Fake("y", clock, log, sold=4, paid=11)]
    for fake in fakes:
        fake.unfaithful = fake.name == unfaithful
    explain(fakes, seconds, clock=lambda: clock[0])
    return log


def test_without_a_limit_all_are_explained_the_smallest_of_each_property_first() -> None:
    assert [name for name, _ in explained(None)] == ["y:sold", "x:paid", "x:sold", "y:paid"]
    assert {given for _, given in explained(None)} == {float("inf")}


def test_each_has_an_equal_part_of_what_is_left() -> None:
    assert explained(40) == [("y:sold", 10), ("x:paid", 13), ("x:sold", 19), ("y:paid", 37)]


def test_when_the_time_is_over_one_of_each_property_is_enough_and_is_not_made_smaller() -> None:
    assert explained(0) == [("y:sold", 0), ("x:paid", 0)]
    assert [name for name, _ in explained(2.5)] == ["y:sold", "x:paid", "x:sold"]


def test_one_that_does_not_go_the_same_way_again_is_not_enough() -> None:
    assert [name for name, _ in explained(0, unfaithful="y")] == ["y:sold", "x:paid", "x:sold"]
