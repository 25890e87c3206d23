"""What is left of a life when all goes that has nothing to do with its end.

Blocks, sessions and switches are taken away in halves and one by one, as long as the same property breaks (delta
debugging: A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", TSE 2002). Each try lives
what is left once, under the schedules that it had: no search. What remains is small enough for one
(``harness.verify.reduce``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from harness.engine.execution import Hang
from harness.marketplace.block import Block, Nemesis, alone
from harness.marketplace.scenario import Scenario, ScenarioError
from harness.marketplace.start import Start
from harness.stateful.life import Broken, Life
from harness.words.schedule import Schedule

TRIES_MAX = 600
ANYTHING = ("ok|refused|busy|failed|unknown",)
NAME = "a-life"


class Distilled(NamedTuple):
    """``scenario`` breaks the property under ``schedule``; ``tries`` lives were lived to find it."""

    scenario: Scenario
    schedule: Schedule
    tries: int


def distil(life: Life, broken: Broken, property_id: str, *, tries_max: int = TRIES_MAX) -> Distilled | None:
    """The smallest life that was found to break the property. None when the one that broke it does not do so again."""
    return _Distillation(life, property_id, tries_max).distil(broken)


def scenario_of(start: Start, blocks: Sequence[Block], property_id: str) -> Scenario:
    """The last block as a scenario, those before it as its prologue. Raises ``ScenarioError``."""
    return Scenario(
        name=NAME,
        theory="A model made it up: its last block breaks the property.",
        start=start,
        sessions=blocks[-1].sessions,
        properties=(property_id,),
        happened=ANYTHING,
        prologue=tuple(blocks[:-1]),
    )


class _Distillation:
    def __init__(self, life: Life, property_id: str, tries_max: int) -> None:
        self._life = life
        self._property = property_id
        self._left = tries_max

    def distil(self, broken: Broken) -> Distilled | None:
        before = self._left
        scenario_of(broken.start, broken.blocks, self._property)  # whatever a model does is a scenario
        best = self._live(broken.start, broken.blocks)
        if best is None:
            return None
        size = None
        while size != (size := sum(_weight(block) for block in best.blocks)):
            best = self._in_chunks(best)
            for simpler in (_fewer_sessions, _fewer_switches, _apart):
                best = self._one_by_one(best, simpler)
        scenario = scenario_of(best.start, best.blocks, self._property)
        return Distilled(scenario, best.blocks[-1].schedule, before - self._left)

    def _in_chunks(self, best: Broken) -> Broken:
        """Without runs of blocks: half of them, a quarter, ..., one. The last block is what is to be explained."""
        size = max(1, (len(best.blocks) - 1) // 2)
        while size:
            first = len(best.blocks) - 1 - size
            while first > -size and self._left:
                *before, last = best.blocks
                kept = (*before[: max(first, 0)], *before[max(first + size, 0) :], last)
                if len(kept) < len(best.blocks) and (found := self._live(best.start, kept)):
                    best = found
                first -= size
            size //= 2
        return best

    def _one_by_one(self, best: Broken, simpler: _Simpler) -> Broken:
        at = len(best.blocks) - 1
        while at >= 0:
            for blocks in simpler(best.blocks, at):
                if self._left and (found := self._live(best.start, blocks)):
                    best = found
                    break
            else:
                at -= 1
            at = min(at, len(best.blocks) - 1)
        return best

    def _live(self, start: Start, blocks: Sequence[Block]) -> Broken | None:
        """How that life ends, if it ends with this property broken and makes a scenario."""
        self._left -= 1
        try:
            scenario_of(start, blocks, self._property)
        except ScenarioError:
            return None
        self._life.begin()
        self._life.declare(start)
        for block in blocks:
            try:
                self._life.play(block)
            except Broken as broken:
                same = any(violation.property == self._property for violation in broken.violations)
                return broken if same else None
            except Hang:
                return None  # another end
        return None


_Blocks = tuple[Block, ...]


class _Simpler(Protocol):
    """A way to make the block at a place simpler: each result is a whole life."""

    def __call__(self, blocks: _Blocks, at: int, /) -> Iterator[_Blocks]: ...


def _fewer_sessions(blocks: _Blocks, at: int) -> Iterator[_Blocks]:
    """Without one of its sessions, and without whoever strikes that one."""
    block = blocks[at]
    for gone in reversed(list(block.sessions)):
        left = {
            name: program
            for name, program in block.sessions.items()
            if name != gone and not (isinstance(program, Nemesis) and program.session == gone)
        }
        if left:
            numbers = {number: list(left).index(name) for number, name in enumerate(block.sessions) if name in left}
            schedule = tuple(
                switch._replace(session=numbers[switch.session])
                for switch in block.schedule
                if switch.session in numbers
            )
            yield (*blocks[:at], replace(block, sessions=left, schedule=schedule), *blocks[at + 1 :])


def _fewer_switches(blocks: _Blocks, at: int) -> Iterator[_Blocks]:
    schedule = blocks[at].schedule
    for place in range(len(schedule)):
        fewer = (*schedule[:place], *schedule[place + 1 :])
        yield (*blocks[:at], replace(blocks[at], schedule=fewer), *blocks[at + 1 :])


def _apart(blocks: _Blocks, at: int) -> Iterator[_Blocks]:
    """Its operations one after the other."""
    block = blocks[at]
    if len(block.operations) > 1 and not any(isinstance(each, Nemesis) for each in block.sessions.values()):
        yield (*blocks[:at], *map(alone, block.operations), *blocks[at + 1 :])


def _weight(block: Block) -> int:
    """More for what runs at once, so that taking apart makes a life lighter."""
    return len(block.sessions) ** 2 + len(block.schedule)
