"""The same races at other isolation levels.

SQL that is right because of what READ COMMITTED shows it after a wait may be wrong on a snapshot, which goes on showing
what was there before; and a client may set the level without telling.
"""

from decimal import Decimal

from harness.marketplace.operations import Buy, Checkout, CompleteCredit
from harness.marketplace.properties import RACING
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start

ONE_LEAD = {"L1": LeadStart(Decimal(10))}


def two_buyers(isolation: str) -> Scenario:
    return Scenario(
        name=f"two-buyers-one-lead-{isolation.replace(' ', '-')}",
        theory=f"Two buyers of one lead at {isolation.upper()}: the loser may be told to try again, never to pay.",
        start=Start({"A": Decimal(50), "B": Decimal(50)}, ONE_LEAD),
        sessions={"alice": [Buy("A", ("L1",), "p")], "bob": [Buy("B", ("L1",), "q")]},
        properties=RACING,
        happened=("overlap", "ok:Buy", "refused:lead_unavailable"),
        isolation=isolation,
    )


def two_checkouts(isolation: str) -> Scenario:
    """Write skew (Berenson et al., "A Critique of ANSI SQL Isolation Levels", SIGMOD 1995): both look, both insert."""
    return Scenario(
        name=f"two-checkouts-one-lead-{isolation.replace(' ', '-')}",
        theory=f"Two checkouts of one lead at {isolation.upper()}: each snapshot shows no reservation of the other.",
        start=Start({"A": Decimal(0), "B": Decimal(0)}, ONE_LEAD),
        sessions={"alice": [Checkout("A", ("L1",), "p")], "bob": [Checkout("B", ("L1",), "q")]},
        properties=RACING,
        happened=("overlap", "ok:Checkout", "refused:lead_reserved"),
        isolation=isolation,
    )


def credit_for_one(isolation: str) -> Scenario:
    return Scenario(
        name=f"one-workspace-credit-for-one-{isolation.replace(' ', '-')}",
        theory=f"Two purchases and credit for one at {isolation.upper()}: an old snapshot's balance is no balance.",
        start=Start(
            {"A": Decimal(15)},
            {**ONE_LEAD, "L2": LeadStart(Decimal(10))},
            {"p": PurchaseStart("A", ("L1",)), "q": PurchaseStart("A", ("L2",))},
        ),
        sessions={
            "first": [CompleteCredit("p", "A", Decimal(10))],
            "second": [CompleteCredit("q", "A", Decimal(10))],
        },
        properties=RACING,
        happened=("overlap", "ok:CompleteCredit", "refused:insufficient_credits", "busy"),
        isolation=isolation,
    )


two_buyers_snapshot = two_buyers("repeatable read")
two_buyers_serializable = two_buyers("serializable")
two_checkouts_snapshot = two_checkouts("repeatable read")
two_checkouts_serializable = two_checkouts("serializable")
credit_for_one_snapshot = credit_for_one("repeatable read")
credit_for_one_serializable = credit_for_one("serializable")
