"""The users of ``benchmarks.locust_sql``: purchases with credits and nothing else, as pgbench makes them beside."""

from locust import task

from harness.load.users.direct import DirectBuyer


class Buyer(DirectBuyer):
    """Buys one lead after the other."""

    @task
    def buys(self) -> None:
        self.buy([self.shelf.fresh()])
