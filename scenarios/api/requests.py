"""Requests to the purchase API, one statement of its functions after the other: played with ``--through api``.

A client of HTTP knows only what it was told. So it polls, it sends again what was not answered, and Stripe delivers
what it is told beside it.
"""

from decimal import Decimal

from harness.marketplace.block import Nemesis
from harness.marketplace.operations import Buy, Deliver, Read, Request, TopUp
from harness.marketplace.properties import BUYING, RACING, STRIPE
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from harness.words.fault import CANCEL, CUT_AFTER_SEND, TERMINATE, Fault

PAID, EXPIRED = "checkout.session.completed", "checkout.session.expired"
ONE = {"L1": LeadStart(Decimal(10))}
RICH = Start({"A": Decimal(50), "B": Decimal(50)}, ONE)
AT_CHECKOUT = Start({"A": Decimal(0)}, ONE, {"p": PurchaseStart("A", ("L1",), method="stripe", reserved="held")})
RETRIED = (*BUYING, "key-once")


def struck(name: str, theory: str, fault: Fault, *happened: str) -> Scenario:
    """A request that is struck at every step, and sent again with its key."""
    return Scenario(
        name=name,
        theory=theory,
        start=RICH,
        sessions={
            "client": [Request("A", ("L1",), "p", "k"), Request("A", ("L1",), "q", "k")],
            "nemesis": Nemesis("client", fault),
        },
        properties=RETRIED,
        happened=(f"fault:{fault}", "ok:Request", "replayed:Request", *happened),
    )


same_key = Scenario(
    name="api-same-key-twice-at-once",
    theory="One request is sent twice at once over HTTP: one effect, one answer, and 409 for who comes in between.",
    start=RICH,
    sessions={"first": [Request("A", ("L1",), "p", "k")], "again": [Request("A", ("L1",), "q", "k")]},
    properties=(*RACING, "key-once"),
    happened=("overlap", "ok:Request", "replayed:Request", "busy:key_in_progress"),
)

two_buyers = Scenario(
    name="api-two-buyers-one-lead",
    theory="Two workspaces post for one lead: one of them is answered 200, the other is told why not.",
    start=RICH,
    sessions={"alice": [Buy("A", ("L1",), "p")], "bob": [Buy("B", ("L1",), "q")]},
    properties=RACING,
    happened=("overlap", "ok:Buy", "refused:lead_unavailable", "busy"),
)

crash = struck(
    "api-key-then-crash",
    "The backend dies under a request and the client sends it again: 503 says that nobody knows, the key finds out.",
    TERMINATE,
    "unknown:Request",
)

timeout = struck(
    "api-retry-after-timeout",
    "A request is cancelled and answered with 503, not done: the retry with its key must find the key free.",
    CANCEL,
    "failed:try_again",
)

ghost = struck(
    "api-retry-beside-a-ghost",
    "The API loses its connection and the retry comes on another one while the server is still at the first.",
    CUT_AFTER_SEND,
    "unknown:Request",
    "busy:key_in_progress",
)

poll = Scenario(
    name="api-webhook-against-the-poll",
    theory="The customer polls while the webhook is at work: never completed without leads, and never back again.",
    start=AT_CHECKOUT,
    sessions={"stripe": [Deliver("evt", PAID, "p")], "customer": [Read("A", "p"), Read("A", "p")]},
    properties=STRIPE,
    happened=("overlap", "ok:Deliver", "ok:Read", "ended:completed"),
)

poll_and_expiry = Scenario(
    name="api-two-webhooks-against-the-poll",
    theory="Stripe says that the session is paid and that it is over; what the customer sees goes one way only.",
    start=AT_CHECKOUT,
    sessions={
        "paid": [Deliver("evt-1", PAID, "p")],
        "expired": [Deliver("evt-2", EXPIRED, "p")],
        "customer": [Read("A", "p")],
    },
    properties=STRIPE,
    happened=("overlap", "ok:Deliver", "ok:Read", "ended:completed", "ended:refund_required"),
)

redelivered = Scenario(
    name="api-webhook-delivered-twice-at-once",
    theory="Stripe does not wait for the answer to its first delivery: signed twice, done once.",
    start=AT_CHECKOUT,
    sessions={"delivery": [Deliver("evt", PAID, "p")], "again": [Deliver("evt", PAID, "p")]},
    properties=(*STRIPE, "webhook-idempotent"),
    happened=("overlap", "ok:Deliver", "ended:completed"),
)

top_up = Scenario(
    name="api-top-up-against-purchase",
    theory="The webhook of a top-up comes while its credits are being spent: enough or not enough, and counted once.",
    start=Start({"A": Decimal(5)}, ONE, top_ups={"t": TopUpStart("A", Decimal(5))}),
    sessions={"stripe": [TopUp("t"), TopUp("t")], "buyer": [Request("A", ("L1",), "p", "k")]},
    properties=(*RACING, "webhook-idempotent", "key-once"),
    happened=("overlap", "ok:TopUp", "ok:Request", "refused:insufficient_credits"),
)
