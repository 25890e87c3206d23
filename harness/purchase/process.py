"""The API as a process: what it is told by its environment, its connections, its way to Stripe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from harness.purchase.app import create_app
from harness.purchase.checkout import StripeCheckout
from harness.purchase.metrics import Metrics
from harness.purchase.pool import Limits, Pool
from harness.purchase.settings import ProcessSettings, Settings


def application() -> FastAPI:
    """The application of this process. Raises ``KeyError`` or ``ValueError`` for what its environment lacks."""
    told = ProcessSettings.of()
    pool = Pool(told.dsn, Limits(told.connections, told.connection_wait_s, told.statement_s))
    checkout = StripeCheckout(told.stripe_key, told.stripe_base, told.success_url, told.statement_s)
    metrics = Metrics(pool.in_state)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with pool:
            try:
                yield
            finally:
                await checkout.close()

    return create_app(pool, checkout, Settings(told.webhook_secret), metrics=metrics, lifespan=lifespan)
