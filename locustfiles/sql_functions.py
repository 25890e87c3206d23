"""Buyers who ask the functions of the purchase API directly, each on a session of its own: what the database can do."""

from locust import task

from harness.load.users.direct import DirectBuyer
from harness.words.history import Status


class Buyer(DirectBuyer):
    """Buys with credits most of the time; now and then pays by Stripe, whose event comes at once, or looks again."""

    @task(14)
    def buys(self) -> None:
        told = self.buy(self.shelf.basket())
        if told.status is Status.OK and self.random.random() < 0.1:
            self.read(told.answer["purchase"])

    @task(3)
    def pays_by_stripe(self) -> None:
        told = self.checkout(self.shelf.basket())
        if told.status is Status.OK:
            self.deliver(self.payment_of(told))

    @task(1)
    def cannot_pay(self) -> None:
        self.buy([self.shelf.fresh()], self.poor)
