"""The purchase API in process, for operations that are asked for as requests."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from harness.requests.exchange import App
from harness.requests.requester import SECRET
from harness.requests.seats import MakeApp, Seat
from harness.words.errors import CouldNotRun

NEEDED = ("fastapi", "prometheus_client", "stripe")


def way(through: str) -> MakeApp | None:
    """How the API is made, when operations go through ``api``; None for ``calls``. Raises ``CouldNotRun``."""
    if through == "calls":
        return None
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise CouldNotRun(
            "no-api-packages",
            f"--through api needs {', '.join(missing)}",
            remedy="pip install 'atomic-payment-harness[api]'",
        )
    return in_process


def in_process(seat: Seat, store: Any = None) -> App:
    """The application that ``harness serve`` runs, on the connection of whoever has the seat, and without Stripe.

    ``store`` is what it does with the database (``harness.purchase.store``), the real one if left out.
    """
    # Here: the rest of the harness does without them.
    from harness.purchase.app import create_app
    from harness.purchase.checkout import Bill
    from harness.purchase.settings import Settings

    class Desk:
        """Opens a checkout at once; who pays there is for webhooks to tell."""

        async def open(self, bill: Bill) -> str:
            return f"https://checkout.example/{bill.about}"

    return create_app(seat, Desk(), Settings(webhook_secret=SECRET), store=store, new_id=seat.new_id)
