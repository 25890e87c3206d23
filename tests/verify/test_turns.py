"""Whose turn it is: everybody's in the first round, then the small ones' between the others, those named first."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from harness.verify.turns import take_turns


@dataclass
class Fake:
    """A scenario of so many steps, whose schedules take a second each; ``few`` of them have few preemptions."""

    name: str
    size: int
    few: int
    schedules: int
    clock: list[float]
    done: int = 0
    turns: list[float] = field(default_factory=list)

    @property
    def scenario(self) -> Any:
        return SimpleNamespace(name=self.name)

    @property
    def extent(self) -> tuple[int, int]:
        return 2, self.size

    @property
    def few_preemptions_done(self) -> bool:
        return self.done >= self.few

    @property
    def finished(self) -> bool:
        return self.done >= self.schedules

    def advance(self, until: float) -> None:
        self.turns.append(until - self.clock[0])
        self.clock[0] += 1
        self.done += 1


def turns(deadline: float, *sizes: tuple[str, int, int, int], first: tuple[str, ...] = ()) -> tuple[str, list[Fake]]:
    """Who had its turn, one letter each, and what has become of them."""
    clock = [0.0]
    fakes = [Fake(*size, clock) for size in sizes]
    order: list[str] = []
    everybody: Any = fakes
    take_turns(
        everybody,
        deadline,
        lambda each: order.append(each.scenario.name),
        lambda: False,
        first=first,
        clock=lambda: clock[0],
    )
    return "".join(order), fakes


def test_every_other_turn_is_the_smallest_ones_until_its_few_preemptions_are_done() -> None:
    order, _ = turns(13, ("a", 9, 8, 50), ("b", 3, 3, 50), ("c", 5, 8, 50))
    # All once; b until it has had 3; then c, which is smaller than a.
    assert order == "abc" + "ab" + "bc" + "cc" + "ac" + "bc"


def test_those_that_are_named_go_before_smaller_ones() -> None:
    order, _ = turns(9, ("a", 9, 8, 50), ("b", 3, 3, 50), ("c", 5, 8, 50), first=("a",))
    assert order == "abc" + "aa" + "ba" + "ca"


def test_nobody_waits_for_ever_for_one_that_is_never_done() -> None:
    _, fakes = turns(60, ("a", 1, 1000, 1000), ("b", 2, 1000, 1000), ("c", 3, 1000, 1000))
    assert all(fake.done >= 10 for fake in fakes)


def test_it_ends_when_nothing_is_left() -> None:
    order, fakes = turns(float("inf"), ("a", 2, 1, 3), ("b", 1, 2, 2))
    assert sorted(order) == ["a", "a", "a", "b", "b"]
    assert all(fake.finished for fake in fakes)


def test_with_little_time_turns_are_short_and_nobody_runs_beyond_the_deadline() -> None:
    order, fakes = turns(0.8, ("a", 1, 9, 9), ("b", 1, 9, 9))
    assert order == "a"
    assert fakes[0].turns == [0.1]


def test_it_stops_when_it_is_told_to() -> None:
    fake: Any = Fake("a", 1, 9, 9, [0.0])
    take_turns([fake], float("inf"), lambda _: None, lambda: fake.done == 2)
    assert fake.done == 2
