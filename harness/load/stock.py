"""What the clients of a load run are given: who they are, what is on sale, where to ask.

Ids, tokens and prices follow from a salt and a number, by the same rule here and in SQL: a market of a million leads is
filled in seconds, and its stock is a file of a few lines. The salt is a secret, for the tokens follow from it.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from decimal import Decimal
from hashlib import md5, sha256
from pathlib import Path
from time import CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime
from typing import Literal
from uuid import UUID

from harness.words.errors import UsageError

Kind = Literal["workspace", "seller", "lead", "checkout", "top-up"]

PRICE_FROM, PRICES = 1, 5
"""A lead costs 1.50, 2.50 ... 5.50, by its number."""

TOP_UP = Decimal("50.00")
"""What every top-up that is there from the start buys."""


@dataclass(frozen=True, slots=True)
class Stock:
    """Workspaces that buy, sellers, leads on sale, Stripe purchases and top-ups that wait for their webhook."""

    subject: str
    salt: str
    dsn: str
    """Of the database, in the role in which clients ask it directly."""
    host: str
    """Of the API, without a slash at the end; empty where there is none."""
    gateway: str
    """Of the payment gateway, likewise."""
    webhook_secret: str
    """With which Stripe's deliveries are signed."""
    workspaces: int = 200
    sellers: int = 10
    leads: int = 20_000
    checkouts: int = 0
    """Pending Stripe purchases, each of a lead of its own beyond those on sale."""
    top_ups: int = 0
    credits: str = "1000000.00"
    """The balance of every workspace but the last, which has nothing."""
    boot: str = ""
    """Of the machine, whose clock the samples are in."""
    wall_minus_monotonic: float = 0.0
    """Seconds, by the clocks of that machine."""

    def id(self, kind: Kind, number: int) -> str:
        """The id of a row that was there from the start."""
        return str(UUID(md5(f"{self.salt} {kind} {number}".encode(), usedforsecurity=False).hexdigest()))

    def token(self, number: int) -> str:
        """The bearer token of a workspace."""
        return sha256(f"{self.salt} token {number}".encode()).hexdigest()

    def price(self, number: int) -> Decimal:
        """Of the lead of that number."""
        return Decimal(number % PRICES + PRICE_FROM) + Decimal("0.50")

    def lead_of_checkout(self, number: int) -> int:
        """The number of the lead that a pending Stripe purchase is of."""
        return self.leads + number

    def buyer_of(self, number: int) -> int:
        """The number of the workspace whose a pending Stripe purchase or top-up is."""
        return number % self.workspaces

    def write(self, path: Path) -> None:
        """Save it where nobody else can read it."""
        path.touch(0o600)
        path.write_text(json.dumps({"format": FORMAT, "version": VERSION} | asdict(self), indent=2), encoding="utf-8")

    def since_boot(self, here: str, offset: float) -> float:
        """What to add to this machine's monotonic clock to have the stock's: nothing on the same machine.

        ``here`` and ``offset`` are ``boot`` and ``wall_minus_monotonic`` of this machine; between two machines the
        result is as exact as their wall clocks agree.
        """
        return 0.0 if here == self.boot else offset - self.wall_minus_monotonic


FORMAT, VERSION = "harness-load-stock", 1


def read_stock(path: Path) -> Stock:
    """The stock in that file. Raises ``UsageError``."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        kind = found.pop("format"), found.pop("version")
        stock = Stock(**found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            "bad-stock",
            f"the stock {path} cannot be read: {error}",
            expected="a file that harness load --prepare wrote",
        ) from error
    if kind != (FORMAT, VERSION):
        raise UsageError("bad-stock", f"the stock {path} is of another version", remedy="prepare it again")
    return stock


def new_salt() -> str:
    """A salt that nobody can guess."""
    return secrets.token_hex(16)


def this_machine() -> tuple[str, float]:
    """``boot`` and ``wall_minus_monotonic``: which clock ``time.monotonic`` reads, and how far the wall's is off."""
    source = Path("/proc/sys/kernel/random/boot_id")
    boot = source.read_text(encoding="ascii").strip() if source.exists() else os.uname().nodename
    return boot, clock_gettime(CLOCK_REALTIME) - clock_gettime(CLOCK_MONOTONIC)
