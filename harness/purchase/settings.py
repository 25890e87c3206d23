"""What the process is told by its environment. Secrets are read from there alone, and never shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The variable, of prometheus_client's, with the folder through which several workers add up their figures."""


@dataclass(frozen=True, slots=True)
class Settings:
    """``webhook_secret`` signs Stripe's deliveries; bodies have at most ``body_bytes_max`` bytes."""

    webhook_secret: str = field(repr=False)
    body_bytes_max: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """Of a process. ``stripe_base`` is None for Stripe itself; times are in seconds.

    A request waits so long for a connection; a statement runs so long; on SIGTERM what is in flight is given so long.
    """

    dsn: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    stripe_key: str = field(repr=False)
    stripe_base: str | None
    success_url: str
    connections: int
    connection_wait_s: float
    statement_s: float
    shutdown_s: float
    before: bool

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> ProcessSettings:
        """From the environment. Raises ``KeyError`` for what must be there and is not, ``ValueError`` for no number."""
        return cls(
            dsn=environment["MARKETPLACE_DSN"],
            webhook_secret=environment["STRIPE_WEBHOOK_SECRET"],
            stripe_key=environment["STRIPE_API_KEY"],
            stripe_base=environment.get("STRIPE_API_BASE") or None,
            success_url=environment.get("MARKETPLACE_SUCCESS_URL", "https://marketplace.example/thanks"),
            connections=int(environment.get("MARKETPLACE_CONNECTIONS", "8")),
            connection_wait_s=float(environment.get("MARKETPLACE_CONNECTION_WAIT_S", "2")),
            statement_s=float(environment.get("MARKETPLACE_STATEMENT_S", "10")),
            shutdown_s=float(environment.get("MARKETPLACE_SHUTDOWN_S", "10")),
            before=environment.get("MARKETPLACE_STORE", "functions") == "before",
        )
