"""A marketplace without a database, whose operations take several steps: correct, or with one defect planted.

Each step is one transaction (or one statement that commits by itself) on the model's own state. Sessions take turns
step by step, so that the routes interleave as they do on a server, but for waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import Any

from harness.marketplace import model
from harness.marketplace.block import Nemesis
from harness.marketplace.market import Market, Purchase
from harness.marketplace.model import initial, state_of
from harness.marketplace.operations import Buy, Checkout, UpdatePrice
from harness.marketplace.scenario import Scenario
from harness.words.history import Call, Event, EventKind, History, Result, Status

Step = Callable[[Market], tuple[Result | None, Market]]
"""One transaction: an answer ends the operation, None goes on to the next step."""

Route = Callable[[Any], Iterator[Step]]
"""An operation to its steps."""

CANCELLED = Result(Status.FAILED, "57014")


def buy(operation: Buy) -> Iterator[Step]:
    """Validate, create, complete: three transactions, as the API's credit route takes them."""
    workspace, leads, name = operation.workspace, operation.leads, operation.purchase
    yield asked(lambda market: model.validate(market, workspace, leads))
    yield done(lambda market: opened(market, operation, "credits"))
    yield lambda market: model.complete_credit(market, name, workspace, market.purchases[name].total)


def checkout(operation: Checkout) -> Iterator[Step]:
    """Validate, and then create and reserve in one transaction that looks again."""
    workspace, leads = operation.workspace, operation.leads
    yield asked(lambda market: model.validate(market, workspace, leads))
    yield lambda market: model.checkout(market, workspace, leads, operation.purchase)


def update_price(operation: UpdatePrice) -> Iterator[Step]:
    yield done(lambda market: market)
    yield lambda market: model.update_price(market, operation.lead, operation.price)


def whole(operation: Any) -> Iterator[Step]:
    """One call is one transaction."""
    yield lambda market: model.apply(market, operation)


CORRECT: Mapping[type, Route] = {Buy: buy, Checkout: checkout, UpdatePrice: update_price}


def asked(question: Callable[[Market], tuple[Result, Market]]) -> Step:
    """A transaction that changes nothing and ends the operation only with a refusal."""

    def step(market: Market) -> tuple[Result | None, Market]:
        result, _ = question(market)
        return (result if result.status is Status.REFUSED else None), market

    return step


def done(change: Callable[[Market], Market]) -> Step:
    """A transaction after which the operation goes on."""
    return lambda market: (None, change(market))


def opened(market: Market, operation: Buy | Checkout, method: str) -> Market:
    """The pending purchase, at the prices of now, whatever its leads are by now."""
    items = tuple(
        (lead, market.leads[lead].price or Decimal(0) if lead in market.leads else Decimal(0))
        for lead in sorted(operation.leads)
    )
    return model.put_purchase(market, operation.purchase, Purchase(operation.workspace, items, method))


@dataclass
class Session:
    """A client half-way through its program."""

    program: list[Any]
    steps: Iterator[Step] | None = None
    invoked: int = 0
    cancelled: bool = False


@dataclass
class Run:
    """One interleaving, drawn from ``random``."""

    scenario: Scenario
    routes: Mapping[type, Route]
    random: Random
    probed: bool = True
    """False: a subject without ledger, reservations and top-ups to read."""
    calls: list[Call] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    clock: int = 0

    def history(self) -> History:
        market = initial(self.scenario.start, reserving=self.probed)
        names = list(self.scenario.sessions)
        sessions = {
            number: Session([] if isinstance(program, Nemesis) else list(program))
            for number, program in enumerate(self.scenario.sessions.values())
        }
        nemeses = {
            number: names.index(program.session)
            for number, program in enumerate(self.scenario.sessions.values())
            if isinstance(program, Nemesis)
        }
        while alive := [*nemeses, *(number for number, each in sessions.items() if each.program)]:
            # A nemesis has one step only: it waits a while, or it would always strike early.
            chosen = self.random.choices(alive, [1 if number in nemeses else 3 for number in alive])[0]
            self.clock += 1
            if chosen in nemeses:
                target = nemeses.pop(chosen)
                sessions[target].cancelled = sessions[target].steps is not None
                self.events.append(Event(self.clock, target, EventKind.FAULT, "cancel", (target,)))
            else:
                market = self.advance(market, chosen, sessions[chosen])
        final = state_of(market)
        if not self.probed:
            final = replace(final, ledger=None, charges=None, reservations=None, top_ups=None)
        return History(tuple(self.calls), self.scenario.start, final, tuple(self.events))

    def advance(self, market: Market, number: int, session: Session) -> Market:
        operation = session.program[0]
        if session.steps is None:
            session.steps = self.routes.get(type(operation), whole)(operation)
            session.invoked = self.clock
            # The request is on its way; what happens before its first step overlaps with it.
            return market
        answer: Result | None
        if session.cancelled:
            answer, session.cancelled = CANCELLED, False
        else:
            answer, market = next(session.steps)(market)
        if answer is not None:
            self.clock += 1
            self.calls.append(Call(number, operation, session.invoked, self.clock, answer))
            del session.program[0]
            session.steps = None
        return market


def histories(
    scenario: Scenario, routes: Mapping[type, Route] = CORRECT, *, probed: bool = True, count: int = 200
) -> Iterator[History]:
    """So many random interleavings, the same ones each time. ``routes`` replace those of the correct marketplace."""
    random = Random(scenario.digest)
    for _ in range(count):
        yield Run(scenario, {**CORRECT, **routes}, random, probed).history()


def changed(market: Market, name: str, **fields: Any) -> Market:
    """A purchase with other fields."""
    return model.put_purchase(market, name, replace(market.purchases[name], **fields))
