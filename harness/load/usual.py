"""The usual: what nearly every operation of a load is, judged and written into the books without asking the model.

Nine of ten operations of a load are a purchase that went well, a payment, a lead that was sold before, a webhook that
was applied before; to ask the model about each would cost more than the rest of the check. The functions here know
what the model, and every property, say of exactly that. Whatever is in the least otherwise they leave alone, and the
model is asked: only the model ever says that something is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from harness.load.answers import amount
from harness.load.books import Books
from harness.load.rows import Row
from harness.load.sample import Sample, identity_of_key
from harness.marketplace.market import Lead, Purchase
from harness.words.history import Status

_PAID = ("checkout.session.completed", "checkout.session.async_payment_succeeded")
_ZERO = Decimal(0)


def write_usual(sample: Sample, rows: Sequence[Row], books: Books) -> list[str] | None:
    """Write the rows of a commit, if they are those of a purchase with credits or a payment by Stripe that went well
    and that the client was told of, or did not hear of. The ids of what changed; None: nothing was written.
    """
    if not books.has_ledger or sample.status not in (Status.OK, Status.UNKNOWN):
        return None
    if sample.operation == "buy":
        return _write_purchase(sample, rows, books)
    if sample.operation == "deliver" and sample.kind in _PAID:
        return _write_payment(sample, rows, books)
    return None


def is_usual_answer(sample: Sample, books: Books) -> bool:
    """Whether the sample, which has no commit, is about a lead that is sold, or a webhook that was applied before."""
    if sample.status == Status.REFUSED and sample.code == "lead_sold" and sample.operation in ("buy", "checkout"):
        return any(lead in books.leads and books.leads[lead].status == "sold" for lead in sample.leads or ())
    if sample.operation == "deliver" and sample.status == Status.OK:
        return sample.event in books.events and bool(sample.answer and sample.answer.get("already_completed") is True)
    return False


def _write_purchase(sample: Sample, rows: Sequence[Row], books: Books) -> list[str] | None:
    purchase = balance_row = entry = key = None
    items, leads = list[Row](), list[Row]()
    for row in rows:
        word = row[0]
        if word == "lead":
            leads.append(row)
        elif word == "item":
            items.append(row)
        elif word == "purchase" and purchase is None:
            purchase = row
        elif word == "balance" and balance_row is None:
            balance_row = row
        elif word == "entry" and entry is None:
            entry = row
        elif word == "key" and key is None:
            key = row
        else:
            return None
    if purchase is None or balance_row is None or entry is None:
        return None
    _, made, name, workspace, method, status, cost, balance_after = purchase
    if made != "I" or method != "credits" or status != "completed" or workspace != sample.workspace:
        return None
    if balance_row != ["balance", "U", workspace, balance_after] or name in books.purchases or not balance_after:
        return None
    total, before, balance = books.price(cost), books.balances.get(workspace), Decimal(balance_after)
    if before is None or balance < 0 or balance != before - total or books.ledger.get(workspace) != before:
        return None
    if entry != ["entry", "I", workspace, "purchase", entry[4], name, ""] or books.price(entry[4]) != -total:
        return None
    held: list[tuple[str, Decimal]] = []
    due = _ZERO
    for _, kind, about, lead, text in items:
        known, price = books.leads.get(lead), books.price(text)
        if known is None or known.price != price or kind != "I" or about != name:
            return None
        held.append((lead, price))
        due += price
    held.sort()
    wanted = [lead for lead, _ in held]
    if due != total or wanted != sorted(sample.leads or ()):
        return None
    sold = _sold(leads, wanted, workspace, books)
    if sold is None or not _is_told(sample, name, cost, balance_after):
        return None
    changed = [name, workspace, *wanted]
    if key is not None:
        identity = identity_of_key(key[2], key[4])
        if books.key(identity) is not None:
            return None
        books.put_key(identity, name)
        changed.append(identity)
    books.balances[workspace] = books.ledger[workspace] = balance
    books.leads.update(sold)
    books.purchases[name] = Purchase(books.same(workspace), tuple(held), "credits", "completed", None, total, balance)
    return changed


def _is_told(sample: Sample, name: str, total: str, balance: str) -> bool:
    """Whether the client was told so, if anything."""
    answer = sample.answer
    if not answer or sample.status != Status.OK:
        return True
    if answer.get("purchase", name) != name or answer.get("already_completed") or answer.get("replayed"):
        return False
    seen, left = answer.get("total", total), answer.get("balance", balance)
    return (seen == total or amount(seen) in (None, Decimal(total))) and (
        left == balance or amount(left) in (None, Decimal(balance))
    )


def _write_payment(sample: Sample, rows: Sequence[Row], books: Books) -> list[str] | None:
    found: dict[str, Row] = {}
    reservations, leads = list[Row](), list[Row]()
    for row in rows:
        if row[0] == "reservation":
            reservations.append(row)
        elif row[0] == "lead":
            leads.append(row)
        else:
            found[row[0]] = row
    if len(found) + len(reservations) + len(leads) != len(rows) or found.keys() != {"purchase", "event"}:
        return None
    event, row = found["event"], found["purchase"]
    name = row[2]
    before = books.purchases.get(name)
    if before is None or name != sample.purchase or event[1:3] != ["I", sample.event] or event[2] in books.events:
        return None
    if (
        before.method != "stripe"
        or before.status != "pending"
        or row[1:6]
        != [
            "U",
            name,
            before.workspace,
            "stripe",
            "completed",
        ]
    ):
        return None
    wanted = list(before.leads)
    if row[7] or books.price(row[6]) != before.total or [*books.held_by(name)] != wanted:
        return None
    if sorted(each[3] for each in reservations) != wanted or any(each[1:3] != ["D", name] for each in reservations):
        return None
    if any(len(books.holders(lead)) != 1 for lead in wanted):
        return None
    sold = _sold(leads, wanted, before.workspace, books, held=True)
    if sold is None:
        return None
    if sample.status == Status.OK and sample.answer and sample.answer.get("already_completed"):
        return None
    books.events.add(event[2])
    books.release(name)
    books.leads.update(sold)
    books.purchases[name] = Purchase(before.workspace, before.items, "stripe", "completed", None, before.charged)
    return [name, event[2], *sold]


def _sold(
    rows: Sequence[Row], wanted: Sequence[str], workspace: str, books: Books, *, held: bool = False
) -> dict[str, Lead] | None:
    """The leads as these rows leave them, if they are the wanted ones, were on sale for the workspace, and are sold.

    ``held`` says that somebody's holding them has been looked at already.
    """
    sold: dict[str, Lead] = {}
    for _, kind, name, seller, price, status, count in rows:
        before = books.leads.get(name)
        if before is None or kind != "U" or status != "sold" or before.status != "available" or seller != before.seller:
            return None
        if before.price is None or not price or books.price(price) != before.price or seller == workspace:
            return None
        if count != "1" or before.sold_count or (not held and books.holders(name)):
            return None
        sold[name] = books.lead(price, seller, status, count)
    return sold if sold and len(rows) == len(wanted) and sold.keys() == set(wanted) else None
