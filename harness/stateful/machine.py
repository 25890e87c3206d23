"""What the state machines of models have in common: a life, names to give, and ways to ask for operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

from hypothesis import target
from hypothesis.stateful import MultipleResults, RuleBasedStateMachine, multiple

from harness.marketplace.block import Block, Nemesis, Sessions, alone
from harness.marketplace.operations import Buy, Checkout, Operation, Sweep
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from harness.stateful import pool
from harness.stateful.life import Life
from harness.words.fault import Fault
from harness.words.schedule import Schedule, Switch


class LifeMachine(RuleBasedStateMachine):
    """A machine whose rules act on ``life``; every example is a life of its own.

    Nothing that a rule draws depends on what the server answered, so that the same draws make the same life.
    """

    life: ClassVar[Life]
    seen: ClassVar[Counter[str]]
    """In how many lives each label was seen; ``lives`` is how many there were."""
    climbing: ClassVar[bool] = False
    """Whether Hypothesis is to look for more eventful lives, which costs it much book-keeping."""
    ended: ClassVar[Callable[[], None]]
    """Told when a life is over."""

    def __init__(self) -> None:
        super().__init__()
        self.life.begin()
        self._given: Counter[str] = Counter()
        self.purchase_of: dict[str, PurchaseStart] = {}
        """Every purchase that was ever asked for, as it was asked for."""
        self.swept = False
        """Whether a sweep was ever asked for: it would have found what had lapsed before."""

    # -- what there is ----------------------------------------------------------------------------------------

    def can(self, *operations: type[Operation]) -> bool:
        return self.life.can(*operations)

    def left(self, kind: str) -> bool:
        """Whether there is a name left to give, of a kind: WORKSPACES, LEADS, PURCHASES, TOP_UPS or EVENTS."""
        return self._given[kind] < len(getattr(pool, kind))

    def name(self, kind: str) -> str:
        """The next name of a kind."""
        self._given[kind] += 1
        names: Sequence[str] = getattr(pool, kind)
        return names[self._given[kind] - 1]

    def declare(
        self,
        *,
        workspaces: Mapping[str, Decimal] | None = None,
        leads: Mapping[str, LeadStart] | None = None,
        purchases: Mapping[str, PurchaseStart] | None = None,
        top_ups: Mapping[str, TopUpStart] | None = None,
    ) -> None:
        """Add rows to the start, as if they had been there all along."""
        start = self.life.start
        self.purchase_of.update(purchases or {})
        self.life.declare(
            Start(
                {**start.workspaces, **(workspaces or {})},
                {**start.leads, **(leads or {})},
                {**start.purchases, **(purchases or {})},
                {**start.top_ups, **(top_ups or {})},
            )
        )

    # -- what happens -----------------------------------------------------------------------------------------

    def alone(self, operation: Operation) -> None:
        """One operation with nobody beside it."""
        self.life.play(alone(operation))

    def struck(self, operation: Operation, fault: Fault, step: int) -> None:
        """One operation that is struck at a step, if it comes that far."""
        sessions: Sessions = {"client": (operation,), "nemesis": Nemesis("client", fault)}
        self.life.play(Block(sessions, (Switch(step, 1),)))

    def at_once(self, operations: Sequence[Operation], schedule: Schedule) -> None:
        """Several operations, each on a session of its own, under a schedule."""
        self.life.play(Block({f"client-{number}": (each,) for number, each in enumerate(operations, 1)}, schedule))

    def numbered(self, operations: Sequence[Operation]) -> tuple[Operation, ...]:
        """The same operations; every purchase that one of them makes has the next name."""
        self.swept |= any(isinstance(each, Sweep) for each in operations)
        return tuple(self._numbered(each) if isinstance(each, Buy | Checkout) else each for each in operations)

    def _numbered(self, operation: Buy | Checkout) -> Operation:
        name = self.name("PURCHASES")
        method = "credits" if isinstance(operation, Buy) else "stripe"
        self.purchase_of[name] = PurchaseStart(operation.workspace, operation.leads, method)
        return replace(operation, purchase=name)

    @staticmethod
    def made(*operations: Operation) -> MultipleResults[str]:
        """The purchases that these operations were to make, for a bundle."""
        return multiple(*(each.purchase for each in operations if isinstance(each, Buy | Checkout)))

    def teardown(self) -> None:
        """Count what happened, and tell Hypothesis how eventful it was."""
        if self.life.broken:
            return
        seen = self.life.labels()
        self.seen.update(seen.keys())
        self.seen["lives"] += 1
        type(self).ended()
        if self.climbing:
            target(float(seen["wait"]), label="waits")
            target(float(len({call.result for call in self.life.history().calls})), label="distinct answers")
