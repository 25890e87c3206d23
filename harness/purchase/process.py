"""The API of a process: its connections, its way to Stripe, and what it does with the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from harness.purchase.app import create_app
from harness.purchase.before import CheckThenAct
from harness.purchase.checkout import StripeCheckout
from harness.purchase.metrics import Metrics
from harness.purchase.pool import Limits, Pool
from harness.purchase.settings import ProcessSettings, Settings
from harness.purchase.store import Functions

API_ROLE, BEFORE_ROLE = "marketplace_api", "marketplace_before"


def application(told: ProcessSettings) -> FastAPI:
    """The application; its lifespan opens and closes all that it holds."""
    limits = Limits(told.connections, told.connection_wait_s, told.statement_s)
    pool = Pool(told.dsn, BEFORE_ROLE if told.before else API_ROLE, limits)
    checkout = StripeCheckout(told.stripe_key, told.stripe_base, told.success_url, told.statement_s)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with pool:
            try:
                yield
            finally:
                await checkout.close()

    return create_app(
        pool,
        checkout,
        Settings(told.webhook_secret),
        store=CheckThenAct() if told.before else Functions(),
        metrics=Metrics(pool.in_state),
        lifespan=lifespan,
    )
