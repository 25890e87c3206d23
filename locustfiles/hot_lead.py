"""Everybody wants one lead at the same moment, round after round: the race of a hundred buyers.

locust -f locustfiles/hot_lead.py --headless -u 100 -r 1000 -t 30s
"""

from locust import task
from locust.env import Environment

from harness.load.users.api import ApiBuyer
from harness.load.users.race import Meeting


class Racer(ApiBuyer):
    """One of the buyers; each acts for a workspace of its own, as far as there are enough."""

    meetings: dict[object, Meeting] = {}  # noqa: RUF012  one for all users of a run

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.meeting = self.meetings.setdefault(self.process, Meeting(environment.runner))

    @task
    def wants_the_lead(self) -> None:
        number = self.meeting.meet()
        self.arrive()
        self.buy([(number * self.process.processes + self.process.index) % self.stock.leads])
