"""More and more buyers, step by step, until more of them bring no more purchases: where the API is saturated."""

from locust import task

from harness.load.users.api import ApiBuyer
from harness.load.users.steps import Saturation


class Buyer(ApiBuyer):
    """Buys one lead after the other."""

    @task
    def buys(self) -> None:
        self.buy([self.shelf.fresh()])


class Steps(Saturation):
    """Twice as many with every step."""
