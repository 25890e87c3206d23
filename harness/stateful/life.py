"""The life of one marketplace: blocks of operations on a real server, one after the other, each judged when it is over.

Beside the server goes the sequential model, in every state that explains what was seen so far. After each block every
property is judged on the history since the beginning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from harness.check.consistent_states import consistent_states
from harness.check.linearizability import overlapped
from harness.engine.campaign import fingerprint
from harness.explore.sparse import Sparse
from harness.marketplace.block import Block
from harness.marketplace.market import Market
from harness.marketplace.model import apply, grown, initial, state_of
from harness.marketplace.operations import Operation
from harness.marketplace.properties import PROPERTIES, check_once
from harness.marketplace.properties.facts import Facts
from harness.marketplace.properties.serializable import agrees, outline
from harness.marketplace.scenario import labels
from harness.marketplace.start import Start, State
from harness.marketplace.subject import Subject
from harness.marketplace.world import World
from harness.stateful.pool import names
from harness.verify.leaks import Leaks
from harness.verify.theatre import Theatre
from harness.verify.trial import moved
from harness.words.history import Call, Event, EventKind, History, Status
from harness.words.verdict import Violation

SERIALIZABLE = "serializable"
_OTHERS = tuple(each for each in PROPERTIES if each != SERIALIZABLE)
_EMPTY = Start({}, {})


class Broken(AssertionError):
    """A block after which properties are broken. ``blocks`` end with it; ``start`` is all that was ever declared."""

    def __init__(self, violations: Sequence[Violation], start: Start, blocks: Sequence[Block]) -> None:
        super().__init__("; ".join(f"{violation.property}: {violation.why}" for violation in violations))
        self.violations = tuple(violations)
        self.start = start
        self.blocks = tuple(blocks)


class Life:
    """A marketplace on a theatre's database. ``begin`` starts anew; then ``declare`` and ``play`` as one likes."""

    def __init__(self, subject: Subject, theatre: Theatre, isolation: str = "read committed") -> None:
        self.subject = subject
        self._connection = theatre.connection
        self._world = World(subject, _EMPTY, names=names(subject.ids))
        self._world.install(self._connection)
        self._player = theatre.player(isolation, self._world.names)
        self.last_broken: Broken | None = None
        """What ended the last life that ended badly."""
        self.outcomes: Counter[str] = Counter()
        """Blocks of several sessions by what they ended in."""
        self.traces: set[tuple[object, ...]] = set()
        """The distinct blocks of several sessions: what was asked, and who took which step."""
        self.blocks_at_once = 0
        self.steps = 0
        """Blocks of all lives, those of one operation too."""
        self._leaks = Leaks(theatre.connection, theatre.at(isolation), theatre.backends).found
        self.unexplained: Counter[str] = Counter()
        """Operations that failed though nobody had struck them, by kind and SQLSTATE: of those nothing is known."""
        self.begin()

    def begin(self) -> None:
        """Forget everything: an empty marketplace."""
        self.broken = False
        self._world.reset(self._connection)
        self.start = _EMPTY
        self._calls: list[Call] = []
        self._events: list[Event] = []
        self._steps = 0
        self._blocks: list[Block] = []
        self._final: State = self._world.read(self._connection)
        self._left: tuple[str, ...] = ()
        self._markets = frozenset({initial(_EMPTY, reserving=self._final.reservations is not None)})

    def can(self, *operations: type[Operation]) -> bool:
        """Whether the subject has all of these operations."""
        return all(map(self.subject.has, operations))

    @property
    def market(self) -> Market:
        """A state in which the model may be. They differ in nothing that can be read back."""
        return next(iter(self._markets))

    def declare(self, start: Start) -> None:
        """Make what ``start`` declares and did not declare before."""
        self._world.add(self.start, start, self._connection)
        self.start = start
        self._markets = frozenset(grown(market, start) for market in self._markets)

    def play(self, block: Block) -> tuple[Call, ...]:
        """Run a block under its schedule and judge what came of it: its calls. Raises ``Broken``."""
        self._blocks.append(block)
        self.steps += 1
        run, calls = self._player.play(*self._player.cast(block.sessions), Sparse(block.schedule))
        calls = tuple(moved(call, self._steps) for call in calls)
        self._calls += calls
        self._events += [replace(event, step=event.step + self._steps) for event in run.events]
        self._steps += run.steps
        self._final = self._world.read(self._connection)
        self._left = self._leaks()
        if self._left:
            self._player.dismiss()
        struck = {peer for event in run.events if event.kind is EventKind.FAULT for peer in event.peers}
        self.unexplained.update(
            f"{type(call.operation).__name__} {call.result.code}"
            for call in calls
            if call.result.status is Status.FAILED and call.session not in struck
        )
        if len(block.sessions) > 1:
            self.blocks_at_once += 1
            end = fingerprint(History(calls, self.start, self._final))
            self.outcomes[end] += 1
            self.traces.add((*block.operations, *(decision.chosen for decision in run.decisions)))
        if violations := self._judge(calls):
            self.broken = True
            self.last_broken = Broken(violations, self.start, self._blocks)
            raise self.last_broken
        return calls

    def history(self) -> History:
        """Everything since the beginning."""
        return History(tuple(self._calls), self.start, self._final, tuple(self._events), self._left)

    def labels(self) -> Counter[str]:
        """What has happened since the beginning (``harness.marketplace.scenario.labels``)."""
        return labels(self.history())

    def _judge(self, calls: Sequence[Call]) -> list[Violation]:
        history = self.history()
        violations = check_once(history, _OTHERS)
        facts = Facts(history)
        self._markets = consistent_states(
            calls,
            self._markets,
            apply,
            final=outline(history.final, facts),
            view=lambda market: outline(state_of(market), facts),
            matches=agrees,
        )
        busy = [call for call in calls if call.result.status is Status.BUSY and not overlapped(call, calls)]
        if not self._markets or busy:
            violations += check_once(history, (SERIALIZABLE,)) or [
                Violation(SERIALIZABLE, "no state of the model explains what was seen after this block")
            ]
        return violations
