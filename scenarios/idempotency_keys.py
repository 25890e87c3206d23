"""A request that is sent twice is one request: its key has one effect and one answer, whatever happens in between.

The client sends the key again because it does not know what became of the first time: a timeout, a lost connection, a
double click. The key must be claimed with the work and not before it, or a failure leaves it claimed for ever; and
looked up under a lock and not before it, or two that come at once both find nothing.
"""

from decimal import Decimal

from harness.marketplace.block import Nemesis
from harness.marketplace.operations import BuyCredits, Request
from harness.marketplace.properties import BUYING, RACING, WAITING
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, Start
from harness.words.fault import CANCEL, CUT_AFTER_SEND

ONE = {"L1": LeadStart(Decimal(10))}
TWO = {**ONE, "L2": LeadStart(Decimal(10))}
RICH = {"A": Decimal(50), "B": Decimal(50)}
RETRIED = (*BUYING, "key-once")
AT_ONCE = (*RACING, "key-once")

KEYS = ("conservation", "no-lost-acknowledgement", "serializable", "key-once", *WAITING)

double_click = Scenario(
    name="same-key-twice-at-once",
    theory="One request is sent twice at once: one of them works, the other waits its turn or is told what came of it.",
    start=Start(RICH, ONE),
    sessions={"first": [Request("A", ("L1",), "p", "k")], "again": [Request("A", ("L1",), "q", "k")]},
    properties=AT_ONCE,
    happened=("overlap", "ok:Request", "replayed:Request", "busy:key_in_progress"),
)

double_checkout = Scenario(
    name="same-key-twice-at-once-by-stripe",
    theory="The same with a checkout, whose lead nobody has sold yet: nothing but the key stops a second one.",
    start=Start(RICH, ONE),
    sessions={
        "first": [Request("A", ("L1",), "p", "k", "stripe")],
        "again": [Request("A", ("L1",), "q", "k", "stripe")],
    },
    properties=AT_ONCE,
    happened=("overlap", "ok:Request", "replayed:Request", "busy:key_in_progress"),
)

credits_twice = Scenario(
    name="same-key-for-credits-twice-at-once",
    theory="Credits are ordered twice at once with one key: one top-up is made, and only one is paid for.",
    start=Start(RICH, ONE),
    sessions={
        "first": [BuyCredits("A", Decimal(20), "t", "k")],
        "again": [
            BuyCredits("A", Decimal(20), "u", "k"),
            BuyCredits("A", Decimal(30), "v", "k"),
            BuyCredits("A", Decimal("0.40"), "w", "k"),
        ],
    },
    properties=KEYS,
    happened=("overlap", "ok:BuyCredits", "replayed:BuyCredits", "refused:key_reused", "refused:amount_not_payable"),
)

two_routes = Scenario(
    name="same-key-at-two-routes",
    theory="A client counts its keys for each route: the purchase and the order of credits have nothing in common.",
    start=Start(RICH, ONE),
    sessions={"buyer": [Request("A", ("L1",), "p", "k")], "treasurer": [BuyCredits("A", Decimal(20), "t", "k")]},
    properties=AT_ONCE,
    happened=("overlap", "ok:Request", "ok:BuyCredits"),
)

other_body = Scenario(
    name="same-key-with-another-body",
    theory="A key comes again with other leads: it is not a repetition, and the first answer would be a lie.",
    start=Start(RICH, TWO),
    sessions={"first": [Request("A", ("L1",), "p", "k")], "other": [Request("A", ("L2",), "q", "k")]},
    properties=AT_ONCE,
    happened=("overlap", "ok:Request", "refused:key_reused", "busy:key_in_progress|refused:key_reused"),
)

two_tenants = Scenario(
    name="same-key-of-two-workspaces",
    theory="Two customers happen upon the same key, and neither may be told what the other has bought.",
    start=Start(RICH, TWO),
    sessions={"alice": [Request("A", ("L1",), "p", "k")], "bob": [Request("B", ("L2",), "q", "k")]},
    properties=AT_ONCE,
    happened=("overlap", "ok:Request"),
)

# Each for a reason of its own, and all with one key.
refused_in_every_way = Scenario(
    name="key-of-refused-requests",
    theory="Requests are refused for what is sold, unknown, one's own or too cheap, and leave the key free.",
    start=Start(
        {"A": Decimal(15)},
        {
            "sold": LeadStart(Decimal(10), status="sold"),
            "unpriced": LeadStart(None),
            "own": LeadStart(Decimal(10), seller="A"),
            "cheap": LeadStart(Decimal("0.40")),
            "L1": LeadStart(Decimal(10)),
        },
    ),
    sessions={
        "client": [
            Request("A", ("sold",), "p", "k"),
            Request("A", ("unknown",), "q", "k"),
            Request("A", ("L1", "unpriced"), "r", "k"),
            Request("A", ("own",), "s", "k"),
            Request("A", ("cheap",), "t", "k", "stripe"),
            Request("A", ("L1",), "u", "k"),
        ]
    },
    properties=RETRIED,
    happened=("refused:lead_unavailable", "refused:own_lead", "refused:amount_not_payable", "ok:Request"),
)

refused_then_again = Scenario(
    name="key-of-a-refused-request",
    theory="A refused request leaves no key behind: with the lead that can be had, the key works.",
    start=Start({"A": Decimal(15)}, {"L1": LeadStart(Decimal(20)), "L2": LeadStart(Decimal(10))}),
    sessions={"client": [Request("A", ("L1",), "p", "k"), Request("A", ("L2",), "q", "k")]},
    properties=RETRIED,
    happened=("refused:insufficient_credits", "ok:Request"),
)

# Explored over all schedules, the cancel hits every statement, and the connection is lost after every one.
cancelled_then_again = Scenario(
    name="key-then-timeout-then-again",
    theory="A request is cancelled anywhere and sent again: its claim went with its work, so that the key is free.",
    start=Start(RICH, ONE),
    sessions={
        "client": [Request("A", ("L1",), "p", "k"), Request("A", ("L1",), "q", "k")],
        "nemesis": Nemesis("client", CANCEL),
    },
    properties=RETRIED,
    happened=("cancelled", "failed:57014|failed:try_again", "ok:Request", "replayed:Request"),
)

ghost_against_retry = Scenario(
    name="key-then-lost-connection-then-again",
    theory="The connection is lost and the client sends the request again, while the server is still at the first one.",
    start=Start(RICH, ONE),
    sessions={
        "client": [Request("A", ("L1",), "p", "k"), Request("A", ("L1",), "q", "k")],
        "nemesis": Nemesis("client", CUT_AFTER_SEND),
    },
    properties=RETRIED,
    happened=("fault:cut-after-send", "unknown:Request", "ok:Request", "replayed:Request", "busy:key_in_progress"),
)
