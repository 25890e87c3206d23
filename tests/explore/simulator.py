"""Sessions in memory: programs of steps and locks, run under a strategy as the engine would run them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from harness.explore.strategy import Strategy
from harness.words.schedule import Decision

Program = Sequence[Sequence[str]]
"""The actions of each session. ``+x`` takes the lock x (or waits for it), ``-x`` gives it back, others are steps."""

Chooser = Callable[[int, tuple[int, ...], int | None], int]


@dataclass
class Machine:
    """A run in progress. Asking for a held lock is a step; then the session is blocked until it is given the lock."""

    program: Program
    done: list[int] = field(init=False)
    holder: dict[str, int] = field(default_factory=dict)
    waiting: dict[int, str] = field(default_factory=dict)
    log: list[tuple[int, str]] = field(default_factory=list)
    current: int | None = None

    def __post_init__(self) -> None:
        self.done = [0] * len(self.program)

    def enabled(self) -> tuple[int, ...]:
        return tuple(
            session
            for session, actions in enumerate(self.program)
            if self.done[session] < len(actions) and session not in self.waiting
        )

    def step(self, session: int) -> None:
        assert session in self.enabled()
        action = self.program[session][self.done[session]]
        self.done[session] += 1
        self.current = session
        self.log.append((session, action))
        name = action[1:]
        if action[0] == "+":
            if name in self.holder:
                self.waiting[session] = name
            else:
                self.holder[name] = session
        elif action[0] == "-":
            assert self.holder.pop(name) == session
            heir = next((waiter for waiter, lock in self.waiting.items() if lock == name), None)
            if heir is not None:
                del self.waiting[heir]
                self.holder[name] = heir


def run(program: Program, choose: Chooser) -> tuple[list[Decision], list[tuple[int, str]]]:
    """One run: the decisions, and the log of (session, action)."""
    machine = Machine(program)
    decisions: list[Decision] = []
    while enabled := machine.enabled():
        decision = Decision(enabled, machine.current, choose(len(decisions), enabled, machine.current))
        decisions.append(decision)
        machine.step(decision.chosen)
    assert not machine.waiting, "the program deadlocks"
    return decisions, machine.log


def run_in_stretches(program: Program, strategy: Strategy) -> list[Decision]:
    """One run as the engine makes it: the strategy is asked again only when its stretch is over."""
    machine = Machine(program)
    decisions: list[Decision] = []
    while enabled := machine.enabled():
        chosen = strategy.choose(len(decisions), enabled, machine.current)
        decisions.append(Decision(enabled, machine.current, chosen))
        machine.step(chosen)
        for _ in range(min(strategy.stretch(len(decisions), enabled, chosen), 64)):
            if machine.enabled() != enabled:
                break
            decisions.append(Decision(enabled, chosen, chosen))
            machine.step(chosen)
    return decisions


def campaign(program: Program, strategy: Strategy, limit: int = 1_000_000) -> Iterator[list[Decision]]:
    """The runs that the strategy proposes, at most ``limit``."""
    for _ in range(limit):
        if not strategy.begin():
            return
        decisions, _log = run(program, strategy.choose)
        strategy.end(decisions)
        yield decisions


def every_run(program: Program) -> Iterator[list[Decision]]:
    """All runs of the program by plain recursion: what an enumeration must agree with."""

    def extend(trace: list[int]) -> Iterator[list[Decision]]:
        machine = Machine(program)
        decisions = []
        for session in trace:
            decisions.append(Decision(machine.enabled(), machine.current, session))
            machine.step(session)
        enabled = machine.enabled()
        if not enabled:
            yield decisions
        for session in enabled:
            yield from extend([*trace, session])

    return extend([])


def trace(decisions: Sequence[Decision]) -> tuple[int, ...]:
    return tuple(decision.chosen for decision in decisions)
