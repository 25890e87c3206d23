"""The check in the order of commits agrees with the search for any order, on small histories, right and altered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from harness.check.linearizability import Witness, find_witness
from harness.load.finding import Judgement
from harness.load.history import check_history
from harness.load.journal import Commit, CommitJournal, JournalWriter
from harness.load.rows import TABLES, Row
from harness.load.sample import Sample, SampleWriter
from harness.marketplace.market import Market
from harness.marketplace.model import apply, initial, ok, refused
from harness.marketplace.operations import Buy, Checkout, CompleteCredit, Deliver, Operation, Refund, TopUp
from harness.marketplace.properties.facts import EXPIRED, PAID, REFUNDED
from harness.marketplace.properties.serializable import agrees
from harness.marketplace.start import LeadStart, Start, TopUpStart
from harness.words.history import Call, Result, Status
from tests.sizes import sized

START = Start(
    workspaces={"A": Decimal("15.00"), "B": Decimal("40.00")},
    leads={"L1": LeadStart(), "L2": LeadStart(Decimal("5.50")), "mine": LeadStart(seller="A")},
    top_ups={"t": TopUpStart("A", Decimal("20.00"))},
)
FAR = "2999-01-01 00:00:00+00"


@dataclass(frozen=True)
class Read:
    """What a client that asks for a purchase is told: its status."""

    purchase: str


Asked = Operation | Read
OF = {Buy: "buy", Checkout: "checkout", Deliver: "deliver", TopUp: "top_up", Refund: "refund", Read: "read"}
OF[CompleteCredit] = "complete_credit"

names = st.sampled_from(["p0", "p1", "p2", "p3"])
workspaces = st.sampled_from(["A", "B"])
leads = st.sampled_from([("L1",), ("L2",), ("L1", "L2"), ("mine",)])
operations: st.SearchStrategy[Asked] = st.one_of(
    st.builds(Buy, workspaces, leads, names),
    st.builds(Checkout, workspaces, leads, names),
    st.builds(Deliver, st.sampled_from(["e", "f"]), st.sampled_from([PAID, PAID, EXPIRED, REFUNDED]), names),
    st.builds(Refund, names),
    st.builds(TopUp, st.just("t")),
    st.builds(Read, names),
)


def perform(market: Market, asked: Asked) -> tuple[Result, Market]:
    if isinstance(asked, Read):
        purchase = market.purchases.get(asked.purchase)
        return (refused("not_found") if purchase is None else ok(status=purchase.status)), market
    return apply(market, asked)


def rows_of(before: Market, after: Market) -> list[Row]:
    """What a commit that leads from one market to the other writes in the reference."""
    rows: list[Row] = []
    for name, balance in after.balances.items():
        if balance != before.balances.get(name):
            rows.append(["balance", "U", name, str(balance)])
    for name, lead in after.leads.items():
        if lead != before.leads[name]:
            rows.append(["lead", "U", name, lead.seller, str(lead.price or ""), lead.status, str(lead.sold_count)])
    for name, now in after.purchases.items():
        old = before.purchases.get(name)
        if now == old:
            continue
        balance_after = "" if now.balance_after is None else str(now.balance_after)
        values = [name, now.workspace, now.method, now.status, str(now.total), balance_after]
        rows.append(["purchase", "I" if old is None else "U", *values])
        was = None if old is None else old.reserved
        for lead_name, price in now.items:
            if old is None:
                rows.append(["item", "I", name, lead_name, str(price)])
            if now.reserved != was:
                kind, expiry = ("I", FAR) if now.reserved else ("D", "")
                rows.append(["reservation", kind, name, lead_name, expiry])
        if now.charged and (old is None or not old.charged):
            rows.append(["entry", "I", now.workspace, "purchase", str(-now.charged), name, ""])
        if now.method == "credits" and now.status == "refunded" and old is not None:
            rows.append(["entry", "I", now.workspace, "refund", str(now.charged), name, ""])
    for name, row in after.top_ups.items():
        if row != before.top_ups[name]:
            rows.append(["top_up", "U", name, row.workspace, str(row.amount), row.status, str(row.balance_after)])
            rows.append(["entry", "I", row.workspace, "top_up", str(row.amount), "", name])
    rows += [["event", "I", name, "", ""] for name in sorted(after.events - before.events)]
    return rows


def start_rows(market: Market) -> list[Row]:
    rows: list[Row] = [["balance", "I", name, str(balance)] for name, balance in market.balances.items()]
    rows += [["entry", "I", name, "opening", str(balance), "", ""] for name, balance in market.balances.items()]
    rows += [
        ["lead", "I", name, lead.seller, str(lead.price), lead.status, str(lead.sold_count)]
        for name, lead in market.leads.items()
    ]
    rows += [
        ["top_up", "I", name, row.workspace, str(row.amount), row.status, ""] for name, row in market.top_ups.items()
    ]
    return rows


@dataclass(frozen=True)
class Recorded:
    """What clients asked and were told, what was committed in order, and where that led."""

    calls: tuple[Call, ...]
    commits: tuple[list[Row], ...]
    final: Market


@st.composite
def histories(draw: st.DrawFn) -> Recorded:
    """Up to six operations of three clients, each with a moment of effect in its interval; a few lose the answer."""
    drawn = draw(st.lists(st.tuples(st.integers(0, 2), operations), min_size=2, max_size=6))
    # Every purchase has a name of its own.
    asked = [
        (session, replace(each, purchase=f"p{number}") if isinstance(each, Buy | Checkout) else each)
        for number, (session, each) in enumerate(drawn)
    ]
    pending: list[list[tuple[str, int]]] = [[], [], []]
    for number, (session, _) in enumerate(asked):
        pending[session] += [("invoke", number), ("effect", number), ("return", number)]
    market = initial(START)
    invoked, answers, calls, commits = dict[int, int](), dict[int, Result](), list[Call](), list[list[Row]]()
    step = 0
    while any(pending):
        session = draw(st.sampled_from([number for number, events in enumerate(pending) if events]))
        what, number = pending[session].pop(0)
        step += 1
        if what == "invoke":
            invoked[number] = step
        elif what == "effect":
            answers[number], after = perform(market, asked[number][1])
            if after != market:
                commits.append(rows_of(market, after))
            market = after
        else:
            lost = draw(st.integers(0, 9)) == 0
            result = Result(Status.UNKNOWN) if lost else answers[number]
            returned = None if lost else step
            calls.append(Call(session, asked[number][1], invoked[number], returned, result))
    return Recorded(tuple(calls), tuple(commits), market)


@st.composite
def altered(draw: st.DrawFn) -> Recorded:
    """One answer is another, or an operation is said to have run at another time: often, not always, inexplicable."""
    recorded = draw(histories())
    place = draw(st.integers(0, len(recorded.calls) - 1))
    call = recorded.calls[place]
    if call.result.status is Status.UNKNOWN:
        return recorded
    value = dict(call.result.value)
    kind = draw(st.sampled_from(["time", "no", "yes", "balance", "repeat", "status"]))
    if kind == "time":
        shift = draw(st.integers(-6, 6))
        # A client of its own: those of one client follow one another.
        call = replace(call, session=9, invoked=call.invoked + shift, returned=(call.returned or 0) + shift)
    elif kind == "no":
        nothing = "not_found" if isinstance(call.operation, Read) else "purchase_not_found"
        call = replace(call, result=refused(draw(st.sampled_from(["lead_unavailable", nothing]))))
    elif kind == "yes":
        call = replace(call, result=ok(**value))
    elif kind == "balance" and "balance" in value:
        call = replace(call, result=ok(**{**value, "balance": value["balance"] + 1}))
    elif kind == "repeat" and "already_completed" in value:
        call = replace(call, result=ok(**{**value, "already_completed": not value["already_completed"]}))
    elif kind == "status" and "status" in value:
        call = replace(call, result=ok(status=draw(st.sampled_from(["pending", "completed", "cancelled"]))))
    return replace(recorded, calls=(*recorded.calls[:place], call, *recorded.calls[place + 1 :]))


def sample_of(call: Call) -> Sample:
    asked, answer = call.operation, dict[str, Any](call.result.value)
    for name in ("balance", "marked"):
        if name in answer:
            answer[name] = str(answer[name]) if name == "balance" else list(answer[name])
    return Sample(
        f"c{call.session}",
        OF[type(asked)],
        call.invoked,
        call.invoked,
        call.returned,
        call.result.status,
        call.result.code,
        answer=answer or None,
        workspace=getattr(asked, "workspace", None),
        leads=getattr(asked, "leads", None),
        purchase=getattr(asked, "purchase", None) or getattr(asked, "top_up", None),
        event=getattr(asked, "event", None),
        kind=getattr(asked, "kind", None),
    )


def judged(recorded: Recorded) -> tuple[Judgement, str]:
    with TemporaryDirectory() as folder:
        samples, journal = Path(folder) / "samples", Path(folder) / "journal"
        with SampleWriter(samples) as writer:
            for call in recorded.calls:
                writer.write(sample_of(call))
        with JournalWriter(journal, [word for word, _ in TABLES.values()]) as writer_of_commits:
            writer_of_commits.start(start_rows(initial(START)))
            for number, rows in enumerate(recorded.commits, 1):
                writer_of_commits.write(Commit(number, number, float(number), rows))
            writer_of_commits.finish()
        verdict = check_history([samples], CommitJournal(journal))
    return verdict.judgement, "; ".join(f"{each.properties} {each.why}" for each in verdict.listed)


@given(st.one_of(histories(), altered(), altered(), altered()))
@settings(max_examples=sized(100, 1000))
def test_the_order_of_commits_decides_as_the_search_does(recorded: Recorded) -> None:
    found = find_witness(
        recorded.calls, initial(START), perform, final=recorded.final, matches=agrees, may_be_busy=lambda *_: True
    )
    judgement, why = judged(recorded)
    event(judgement.value)
    expected = Judgement.HOLDS if isinstance(found, Witness) else Judgement.VIOLATED
    assert judgement is expected, why
