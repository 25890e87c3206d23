"""An ordinary day of the marketplace: purchases with credits and by Stripe, top-ups, people who look, and mistakes."""

from uuid import uuid4

from locust import task

from harness.load.users.api import ApiBuyer
from harness.words.history import Status


class Customer(ApiBuyer):
    """One customer. Leads are fresh as a rule; now and then one that somebody else is at."""

    @task(50)
    def buys(self) -> None:
        self.buy(self.shelf.basket())

    @task(8)
    def pays_by_stripe(self) -> None:
        told = self.checkout(self.shelf.basket())
        if told.status is Status.OK:
            if self.random.random() < 0.8:
                self.pay(told.answer["checkout_url"], self.random.choice(("immediate", "immediate", "async_succeeds")))
            else:
                self.abandon(told.answer["checkout_url"])
            self.read(told.answer["purchase"])

    @task(4)
    def tops_up(self) -> None:
        told = self.top_up(f"{self.random.randint(1, 500)}.{self.random.randint(0, 99):02}")
        if told.status is Status.OK:
            self.pay(told.answer["checkout_url"])

    @task(30)
    def buys_and_looks(self) -> None:
        told = self.buy([self.shelf.fresh()])
        if told.status is Status.OK:
            self.read(told.answer["purchase"])
            self.read(told.answer["purchase"])

    @task(3)
    def cannot_pay(self) -> None:
        self.buy([self.shelf.fresh()], self.poor)

    @task(2)
    def asks_for_what_is_not_there(self) -> None:
        self.read(str(uuid4()))
