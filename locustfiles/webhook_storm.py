"""Stripe at its worst: every event several times at once, again later, and with others about the same purchase.

The deliveries are signed here, for purchases and top-ups that wait for them from the start.
"""

from dataclasses import replace

from locust import task

from harness.load.users.api import ApiBuyer
from harness.load.users.event import EXPIRED, PAID_SLOWLY, Event

COPIES = 5


class Stripe(ApiBuyer):
    """Delivers what nobody has delivered yet, and what it has delivered before."""

    delivered: list[Event] = []  # noqa: RUF012  by all users of this process

    @task(6)
    def pays_a_purchase(self) -> None:
        event = self.waiting_checkout(self.process.next_checkout())
        self.storm(event, self.random.randint(2, COPIES))
        self.delivered.append(event)

    @task(3)
    def pays_a_top_up(self) -> None:
        event = self.waiting_top_up(self.process.next_top_up())
        self.storm(event, self.random.randint(2, COPIES))
        self.delivered.append(event)

    @task(2)
    def tells_two_stories(self) -> None:
        event = self.waiting_checkout(self.process.next_checkout())
        other = replace(event, kind=self.random.choice((PAID_SLOWLY, EXPIRED)))
        self.together(lambda: self.deliver(event, 1), lambda: self.deliver(other, 2))
        self.delivered += [event, other]

    @task(4)
    def delivers_again(self) -> None:
        if self.delivered:
            self.storm(self.random.choice(self.delivered), self.random.randint(1, COPIES))
