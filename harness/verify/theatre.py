"""Where trials are staged: one database with a subject in it, and the sessions that play its scenarios."""

from __future__ import annotations

from harness.db.entry import entries, keeps_locks
from harness.db.plan import Plan
from harness.marketplace.scenario import Scenario
from harness.verify.orders import Order
from harness.verify.stages import Stages
from harness.verify.trial import Trial


class Theatre(Stages):
    """Stages the scenarios of one order."""

    def __init__(self, order: Order, plan: Plan) -> None:
        super().__init__(order.dsn, local=order.local, core=order.core, role=order.subject.client_role or "")
        self._order = order
        self._entries = entries(plan)
        self._keeps_locks = keeps_locks(plan)

    def trial(self, scenario: Scenario) -> Trial:
        """A trial of ``scenario``; those of one isolation level share their sessions."""
        isolation = self.isolation_of(scenario)
        return Trial(
            self._order.subject,
            scenario,
            self.at(isolation),
            self.connection,
            self._entries if isolation == "read committed" else {},
            keeps_locks=self._keeps_locks,
        )

    def isolation_of(self, scenario: Scenario) -> str:
        return scenario.isolation or self._order.isolation
