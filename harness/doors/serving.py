"""``harness serve``: the purchase API, and all that it needs to be tried."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack
from importlib.util import find_spec

from harness.doors.asking import subject_of
from harness.doors.ending import LOOK_EVERY_S, ending
from harness.doors.saying import say
from harness.marketplace.demo import DemoMarket
from harness.marketplace.deployment import deployed, given
from harness.words.errors import CouldNotRun, UsageError

NEEDED = ("fastapi", "httptools", "httpx", "prometheus_client", "stripe", "uvicorn")


def serve(
    *,
    before: bool,
    port: int,
    connections: int,
    workers: int,
    grace_s: float,
    database: str,
    dsn: str | None,
    install: bool,
) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit code."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise CouldNotRun(
            "no-api-packages",
            f"harness serve needs {', '.join(missing)}",
            remedy="pip install 'atomic-payment-harness[api]'",
        )
    # Here: the rest of the harness does without them.
    from harness.gateway.process import gateway_process
    from harness.purchase.workers import DidNotStart, serving

    if dsn is not None and not dsn.strip():
        raise UsageError("empty-dsn", "--dsn is empty", expected="a DSN", remedy="leave --dsn out for a server of ours")
    if install and dsn is None:
        raise UsageError("install-where", "--install without --dsn", remedy="leave it out: our own has everything")
    subject = subject_of("reference")
    with ExitStack() as exits:
        if dsn is None:
            where, market = exits.enter_context(deployed(subject, database, before=before))
        else:
            where, market = dsn, given(subject, dsn, before=before, install=install)
        secret = os.environ.get("STRIPE_WEBHOOK_SECRET") or f"whsec_{secrets.token_urlsafe(24)}"
        environment = {
            "MARKETPLACE_DSN": where,
            "MARKETPLACE_CONNECTIONS": str(connections),
            "MARKETPLACE_STORE": "before" if before else "functions",
            "STRIPE_WEBHOOK_SECRET": secret,
            "STRIPE_API_KEY": os.environ.get("STRIPE_API_KEY") or "sk_test_local",
        }
        gateway = None
        try:
            if not os.environ.get("STRIPE_API_BASE"):
                gateway = exits.enter_context(gateway_process(secret=secret))
                environment["STRIPE_API_BASE"] = gateway.base
            api = exits.enter_context(serving(environment, port=port, count=workers, shutdown_s=grace_s))
        except OSError as error:
            raise CouldNotRun(
                "port-in-use",
                f"cannot listen on 127.0.0.1:{port}: {error.strerror}",
                remedy="take another --port, or 0 for any that is free",
            ) from error
        except (DidNotStart, RuntimeError) as error:
            raise CouldNotRun("api-ended", str(error), remedy="see what it says above") from error
        if gateway is not None:
            gateway.configure(url=f"{api.url}/api/webhooks/stripe")
        ended = exits.enter_context(ending())
        say(_welcome(api.url, where if dsn is None else None, gateway.base if gateway else None, market, before=before))
        while not ended.wait(LOOK_EVERY_S):
            if (code := api.ended()) is not None:
                raise CouldNotRun("api-ended", f"the API ended with {code}", remedy="see what it says above")
    return 0


def _welcome(url: str, own: str | None, gateway: str | None, market: DemoMarket | None, *, before: bool) -> str:
    lines = [f"The purchase API is at {url}, its document at {url}/docs, its figures at {url}/metrics"]
    if before:
        lines.append("It takes the routes of before: check, then act, then mark. Leads will be sold twice.")
    if own is not None:
        lines.append(f"Database: {own}")
    if gateway is not None:
        lines.append(f"Stripe is played at {gateway}")
    if market is not None:
        lines += ["", *(f"{buyer:6}  token {token}" for buyer, token in market.tokens.items())]
        lines += ["", *(f"lead {id_}  {price:5.2f}" for id_, price in market.leads)]
        token, lead = next(iter(market.tokens.values())), market.leads[0][0]
        lines += ["", f"    curl -s {url}/api/marketplace/purchase -H 'Authorization: Bearer {token}' \\"]
        lines += [f"""        --json '{{"lead_ids": ["{lead}"], "payment_method": "credits"}}'"""]
        lines += [f"    curl -s {url}/api/credits/purchase -H 'Authorization: Bearer {token}' \\"]
        lines += ["""        --json '{"amount": "50.00"}'"""]
        if gateway is not None:
            lines.append("    curl -s -X POST CHECKOUT_URL    # pays it")
    lines += ["", "SIGTERM or Ctrl-C ends it."]
    return "\n".join(lines)
