"""Where trials are staged: one database with a subject in it, and the sessions that play its scenarios."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from harness.db.entry import entries, keeps_locks
from harness.db.plan import Plan
from harness.marketplace.calls import Client
from harness.marketplace.names import Names
from harness.marketplace.properties.no_leak import NO_LEAK
from harness.marketplace.scenario import Scenario
from harness.requests.requester import ROUTED, Requester
from harness.requests.seats import Seats
from harness.verify.leaks import Leaks
from harness.verify.orders import Order
from harness.verify.player import Client as Asking
from harness.verify.player import Player
from harness.verify.stages import Stages
from harness.verify.trial import Trial


class Theatre(Stages):
    """Stages the scenarios of one order. ``make_player`` makes those who play them."""

    make_player: Callable[..., Player] = Player

    def __init__(self, order: Order, plan: Plan) -> None:
        super().__init__(
            order.dsn, local=order.local, core=order.core, role=order.subject.client_role or "", marks=plan.marks
        )
        self._order = order
        self._seats = None if order.api is None else Seats(order.api)
        self._entries = entries(plan)
        self._keeps_locks = keeps_locks(plan)

    def trial(self, scenario: Scenario) -> Trial:
        """A trial of ``scenario``; those of one isolation level and role share their sessions."""
        isolation, role = self.isolation_of(scenario), self.role_of(scenario)
        looked_for = NO_LEAK.id in scenario.properties
        leaks = Leaks(self.connection, self.at(isolation, role), self.backends).found if looked_for else None
        return Trial(self._order.subject, scenario, self.connection, partial(self.player, isolation, role=role), leaks)

    def player(self, isolation: str, names: Names, role: str | None = None) -> Player:
        """Who plays blocks of operations at this isolation level, in these names and as this role."""
        return self.make_player(
            self.at(isolation, role),
            self._client(names),
            self._entries if isolation == "read committed" else {},
            keeps_locks=self._keeps_locks,
        )

    def _client(self, names: Names) -> Asking:
        beside = Client(self._order.subject, names)
        return beside if self._seats is None else Requester(self._seats, names, beside)

    def role_of(self, scenario: Scenario) -> str | None:
        """Where every operation is a request, the role of the API; None for that of the clients.

        A session has one role: where it asks for something that has no route, the API's may not do it.
        """
        all_requests = self._seats is not None and all(isinstance(each, ROUTED) for each in scenario.operations)
        return self._order.subject.api_role if all_requests else None

    def isolation_of(self, scenario: Scenario) -> str:
        return scenario.isolation or self._order.isolation
