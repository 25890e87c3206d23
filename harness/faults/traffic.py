"""Traffic for a crash: a busy marketplace, and writers who do a bit of everything in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from random import Random

from harness.marketplace.operations import (
    Buy,
    Checkout,
    CompleteCredit,
    Deliver,
    MarkSold,
    Operation,
    Refund,
    TopUp,
)
from harness.marketplace.properties.facts import EXPIRED, PAID
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from harness.marketplace.subject import Subject

WORKSPACES = ("A", "B", "C", "D")
OF_EACH = 6
"""Pending purchases by either method, completed purchases and top-ups that are there from the start."""
ON_SALE = 24
"""Leads that nobody has a purchase of; fewer than the writers want, so that they meet."""


def market(subject: Subject) -> Start:
    """The start of every round, without what the subject has no fixture for."""
    free = {f"L{number}": LeadStart(Decimal(1 + number % 3)) for number in range(ON_SALE)}
    held = "held" if "reservation" in subject.fixtures else None
    purchases: dict[str, PurchaseStart] = {}
    taken: dict[str, LeadStart] = {}
    for number in range(OF_EACH):
        workspace = WORKSPACES[number % len(WORKSPACES)]
        for kind, row in {
            "c": PurchaseStart(workspace, (f"Lc{number}",)),
            "s": PurchaseStart(workspace, (f"Ls{number}",), "stripe", reserved=held),
            "d": PurchaseStart(workspace, (f"Ld{number}",), status="completed"),
        }.items():
            purchases[f"{kind}{number}"] = row
            taken[f"L{kind}{number}"] = LeadStart(Decimal(2), status="sold" if kind == "d" else "available")
    top_ups = {f"t{number}": TopUpStart(WORKSPACES[number % 4], Decimal(7)) for number in range(OF_EACH)}
    return Start(
        workspaces=dict.fromkeys(WORKSPACES, Decimal(60)),
        leads=free | taken,
        purchases=purchases,
        top_ups=top_ups if "top_up" in subject.fixtures else {},
    )


class Writer:
    """One client's program, one operation at a time. Nobody pays at a checkout that was never opened."""

    def __init__(self, session: int, program: Iterable[Operation]) -> None:
        self.session = session
        self._program = list(program)
        self._checkouts = {each.purchase for each in self._program if isinstance(each, Checkout)}
        self._left = iter(self._program)

    def __iter__(self) -> Iterator[Operation]:
        """What is left to do."""
        for operation in self._left:
            if not isinstance(operation, Deliver) or operation.purchase not in self._checkouts:
                yield operation

    def __len__(self) -> int:
        return len(self._program)

    def knows(self, operation: Operation) -> None:
        """This operation was carried out: there was an answer, or it was found done."""
        if isinstance(operation, Checkout):
            self._checkouts.discard(operation.purchase)


def draw_writers(subject: Subject, random: Random, count: int, length: int) -> list[Writer]:
    """Writers with programs of operations that the subject has a call for."""
    return [
        Writer(session, [each for each in _program(random, session, length) if subject.has(type(each))])
        for session in range(count)
    ]


def made_by(writers: int, length: int) -> list[Operation]:
    """An operation for every purchase that such programs can make, so that each has an id from the first round on."""
    return [Buy(WORKSPACES[0], (), f"w{writer}n{place}") for writer in range(writers) for place in range(length)]


def _program(random: Random, writer: int, length: int) -> list[Operation]:
    bought: list[str] = []
    opened: list[str] = []
    program: list[Operation] = []
    for place in range(length):
        name, workspace, some = f"w{writer}n{place}", random.choice(WORKSPACES), random.randrange(OF_EACH)
        leads = tuple(f"L{number}" for number in random.sample(range(ON_SALE), random.choice((1, 1, 2))))
        match random.choices(
            ("buy", "checkout", "deliver", "complete", "mark", "top up", "refund"), (6, 4, 5, 2, 1, 2, 2)
        ):
            case ["buy"]:
                program.append(Buy(workspace, leads, name))
                bought.append(name)
            case ["checkout"]:
                program.append(Checkout(workspace, leads, name))
                opened.append(name)
            case ["deliver"]:
                paid = random.choice([*opened, f"s{some}"])
                kind = random.choice((PAID, PAID, PAID, EXPIRED))
                program.append(Deliver(f"{kind} {paid}", kind, paid))
            case ["complete"]:
                program.append(CompleteCredit(f"c{some}", WORKSPACES[some % len(WORKSPACES)], Decimal(2)))
            case ["mark"]:
                program.append(MarkSold(leads))
            case ["top up"]:
                program.append(TopUp(f"t{some}"))
            case ["refund"]:
                program.append(Refund(random.choice([*bought, f"d{some}"])))
    return program
