"""What docs/api.md says may be pruned: what is old goes, and what may be sent again stays."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

from tests.purchase.conftest import Opened

API = Path(__file__).parents[2] / "docs" / "api.md"


def prune(opened: Opened) -> None:
    """As the document has it."""
    (section,) = re.findall(r"^## What to prune$(.*?)^## ", API.read_text(encoding="utf-8"), re.M | re.S)
    (statements,) = re.findall(r"```sql\n(.*?)```", section, re.S)
    opened.shop.owner.execute(statements.encode())


def test_a_key_is_good_for_a_day(opened: Opened) -> None:
    lead, keys = opened.shop.lead(opened.seller), [str(uuid4()) for _ in range(3)]
    first = opened.visitor.buy(opened.buyer, lead, key=keys[0])
    assert first.status == 200
    for key in keys[1:]:
        assert opened.visitor.buy(opened.buyer, opened.shop.lead(opened.seller), key=key).status == 200
    age = "UPDATE api_idempotency_keys SET created_at = now() - %s * interval '1 hour' WHERE key = %s"
    for key, hours in zip(keys, (23, 25, 25), strict=True):
        opened.shop.owner.execute(age, [hours, key])
    half_done = "UPDATE api_idempotency_keys SET status = 'processing', response = NULL WHERE key = %s"
    opened.shop.owner.execute(half_done, [keys[2]])
    prune(opened)
    left = opened.shop.owner.execute("SELECT key FROM api_idempotency_keys WHERE key = ANY(%s)", [keys]).fetchall()
    assert {key for (key,) in left} == {keys[0], keys[2]}
    again = opened.visitor.buy(opened.buyer, lead, key=keys[0])
    assert (again.body, again.headers["idempotent-replayed"]) == (first.body, "true")
    # Whose key is gone buys nothing twice.
    opened.shop.owner.execute("DELETE FROM api_idempotency_keys WHERE key = ANY(%s)", [keys])
    assert opened.visitor.buy(opened.buyer, lead, key=keys[0]).told == (409, "lead_sold")
    assert opened.shop.false() == {}


def test_an_event_that_comes_after_its_row_was_deleted_has_no_effect(opened: Opened) -> None:
    lead = opened.shop.lead(opened.seller)
    purchase = opened.visitor.buy(opened.buyer, lead, method="stripe").json["purchase"]["id"]

    def paid(event: str) -> bool:
        """Whether it had been paid before."""
        query = "SELECT * FROM api_stripe_event(%s, 'checkout.session.completed', 'purchase', %s, 1000, 'usd')"
        row = opened.shop.owner.execute(query, [event, purchase]).fetchone()
        assert row is not None
        return bool(row[0])

    def kept() -> set[str]:
        query = "SELECT event_id FROM processed_webhook_events WHERE purchase_id = %s"
        return {event for (event,) in opened.shop.owner.execute(query, [purchase]).fetchall()}

    assert not paid("evt_old")
    assert paid("evt_young")
    age = "UPDATE processed_webhook_events SET processed_at = now() - %s * interval '1 day' WHERE event_id = %s"
    for days, event in ((61, "evt_old"), (31, "evt_young")):
        opened.shop.owner.execute(age, [days, event])
    prune(opened)
    assert kept() == {"evt_young"}
    assert paid("evt_old")
    assert opened.shop.status(purchase) == "completed"
    assert opened.shop.false() == {}
