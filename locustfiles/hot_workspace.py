"""One workspace buys whatever it can get, with all its people at once: every purchase writes the same balance."""

from locust import task

from harness.load.users.api import ApiBuyer


class Colleague(ApiBuyer):
    """All act for the first workspace."""

    @task
    def buys(self) -> None:
        self.buy([self.shelf.fresh()], 0)
