"""The sentence that says why: from what steps read, wrote and committed, and none where they show nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest

from harness.verify.because import because
from harness.verify.unshown import Unshown

TABLES: Mapping[str, tuple[str, ...]] = {
    "lead": ("leads",),
    "purchase": ("purchases",),
    "top-up": ("topups",),
    "balance": ("credits",),
}
SESSIONS = ("seller", "first", "other")
LOOK = "SELECT status FROM leads WHERE id = v_id"
SELL = "UPDATE leads SET status = 'sold' WHERE id = v_id"


def step(session: str, statement: str = "", *, commits: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    """``commits`` are texts like ``lead L1: available > sold``."""
    found: dict[str, Any] = {"session": session, "statement": statement, "events": [], "where": "public.f():1", **more}
    told = [each.partition(": ") for each in commits]
    if told:
        parts = [(name, *change.split(" > ")) for name, _, change in told]
        found["commits"] = [{"name": name, "before": old, "after": new} for name, old, new in parts]
    return found


def nothing(_: str) -> str:
    return ""


def why(
    steps: Sequence[dict[str, Any]],
    guilty: Mapping[str, str] | None = None,
    unshown: Unshown = nothing,
    start: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any] | None:
    for number, each in enumerate(steps):
        each["step"] = number
        each.setdefault("reads", number - 1)
    return because(
        {"steps": steps, "start": start, "sessions": SESSIONS},
        guilty or {"lead": "L1"},
        lambda kind: TABLES.get(kind, ()),
        unshown,
    )


def test_who_decided_on_what_was_there_before_another_changed_it() -> None:
    found = why(
        [
            step("alice", LOOK),
            step("bob", LOOK),
            step("bob", SELL),
            step("bob", commits=["lead L1: available > sold"]),
            step("alice", SELL),
            step("alice", commits=["lead L1: sold > sold, sold_count 2"]),
        ]
    )
    assert found == {
        "sentence": "alice read lead L1 at step 0, when it was available; bob made it sold at step 3; "
        "and alice, without another look, made it sold, sold_count 2 at step 5",
        "steps": [0, 3, 5],
    }


def bought_by_two(*more: dict[str, Any]) -> list[dict[str, Any]]:
    """Each of two sessions calls a function that sells a lead, bob between alice's call and her write."""
    return [
        step("alice", "SELECT sell(1)", where="client"),
        step("bob", SELL, commits=["lead L1: available > sold"]),
        *more,
        step("alice", SELL, commits=["lead L1: sold > sold, sold_count 2"]),
    ]


def test_what_a_function_declares_is_a_look() -> None:
    def declared(statement: str) -> str:
        return "v_status text := (SELECT status FROM leads WHERE id = p_id)" if "sell(" in statement else ""

    blind, looked = why(bought_by_two()), why(bought_by_two(), unshown=declared)
    assert blind is not None
    assert "had not looked" in blind["sentence"]
    assert looked is not None
    assert looked["sentence"].startswith("alice read lead L1 at step 0, when it was available")


def test_of_a_function_whose_text_is_not_known_nobody_says_that_it_did_not_look() -> None:
    def unknown(statement: str) -> str | None:
        return None if "sell(" in statement else ""

    assert why(bought_by_two(), unshown=unknown) is None
    later = why([step("alice", LOOK), *bought_by_two()], unshown=unknown)
    assert later is not None
    assert later["sentence"].endswith("and alice made it sold, sold_count 2 at step 3")


def test_a_parameter_that_is_called_as_a_table_is_no_look() -> None:
    found = why(
        [
            step("alice", LOOK),
            step("bob", SELL, commits=["lead L1: available > sold"]),
            step("alice", "INSERT INTO items SELECT %(purchase)s, x FROM unnest(%(leads)s::uuid[]) x, y(' , leads ')"),
            step("alice", SELL, commits=["lead L1: sold > sold, sold_count 2"]),
        ]
    )
    assert found is not None
    assert found["steps"] == [0, 1, 3]


def test_who_looked_again_saw_the_change_and_went_on() -> None:
    found = why(
        [
            step("alice", LOOK),
            step("bob", SELL, commits=["lead L1: available > sold"]),
            step("alice", LOOK),
            step("alice", SELL, commits=["lead L1: sold > sold, sold_count 2"]),
        ]
    )
    assert found is not None
    assert found["steps"] == [1, 2, 3]
    assert found["sentence"] == (
        "bob made lead L1 sold at step 1; "
        "alice read it after that, at step 2, and made it sold, sold_count 2 at step 3 all the same"
    )


def test_a_look_that_waited_saw_what_it_waited_for() -> None:
    waited = step("alice", f"{LOOK} FOR UPDATE", reads=-1)
    waited["events"] = [{"kind": "wait", "session": "alice"}]
    woke = step("bob", SELL, commits=["lead L1: available > sold"])
    woke["events"] = [{"kind": "wake", "session": "alice"}]
    found = why([waited, woke, step("alice", SELL, commits=["lead L1: sold > sold, sold_count 2"])])
    assert found == {
        "sentence": "bob made lead L1 sold at step 1; alice waited from step 0 on, read it after that, "
        "and made it sold, sold_count 2 at step 2 all the same",
        "steps": [0, 1, 2],
    }


@pytest.mark.parametrize(
    ("between", "is_look"),
    [
        ("PERFORM FROM leads WHERE id = ANY (p_lead_ids) ORDER BY id FOR NO KEY UPDATE;", False),
        ("SELECT 1 FROM public.leads AS l WHERE l.id = %(lead)s FOR UPDATE", False),
        ("PERFORM FROM leads WHERE id = v_id AND status = 'available' FOR UPDATE", True),
        ("PERFORM FROM leads WHERE id = v_id", True),
        ("SELECT status FROM leads WHERE id = v_id FOR UPDATE", True),
    ],
)
def test_a_lock_that_gives_no_column_is_no_look(between: str, is_look: bool) -> None:
    sold = step("bob", SELL, commits=["lead L1: available > sold"])
    twice = step("alice", SELL, commits=["lead L1: sold > sold, sold_count 2"])
    found = why([step("alice", LOOK), sold, step("alice", between), twice])
    assert found is not None
    assert ("all the same" in found["sentence"]) is is_look
    assert ("alice read lead L1 at step 0, when it was available" in found["sentence"]) is not is_look
    blind = why([sold, step("alice", between), twice])
    assert blind is not None
    assert ("it had locked rows of leads and read none of their columns" in blind["sentence"]) is not is_look


def test_a_snapshot_that_is_older_than_the_change_is_an_old_look() -> None:
    found = why(
        [
            step("bob", SELL, commits=["lead L1: available > sold"]),
            step("alice", LOOK, reads=-1),
            step("alice", SELL, commits=["lead L1: sold > sold, sold_count 2"]),
        ]
    )
    assert found is not None
    assert found["sentence"].startswith("alice read lead L1 at step 1, when it was available")


def test_who_never_looked() -> None:
    found = why(
        [
            step("bob", SELL, commits=["lead L1: available > sold"]),
            step("alice", SELL),
            step("alice", commits=["lead L1: sold > sold, sold_count 2"]),
        ]
    )
    assert found is not None
    assert found["sentence"] == (
        "bob made lead L1 sold at step 0; alice made it sold, sold_count 2 at step 2, and had not looked: "
        "the write at step 1 was the first statement on leads"
    )


def test_who_wrote_twice_and_never_looked() -> None:
    found = why(
        [
            step("bob", SELL, commits=["lead L1: available > sold"]),
            step("alice", "UPDATE leads SET price = 7"),
            step("alice", SELL),
            step("alice", commits=["lead L1: sold > sold, sold_count 2"]),
        ]
    )
    assert found is not None
    assert found["sentence"].endswith("had not looked: up to the write at step 2, no statement of its own read leads")


def test_what_was_at_its_end_from_the_start() -> None:
    found = why(
        [
            step("bob", "SELECT status FROM purchases FOR UPDATE"),
            step("bob", "UPDATE purchases SET status = 'completed'", commits=["purchase p: refunded > completed"]),
        ],
        {"purchase": "p"},
    )
    assert found == {
        "sentence": "purchase p was refunded from the start; "
        "bob read it at step 0, and made it completed at step 1 all the same",
        "steps": [0, 1],
    }


def test_a_refund_of_what_was_completed_is_no_wonder() -> None:
    refund = step("bob", "UPDATE purchases SET status = 'refunded'", commits=["purchase p: completed > refunded"])
    assert why([step("bob", "SELECT status FROM purchases"), refund], {"purchase": "p"}) is None


def test_a_balance_that_was_charged_for_a_purchase_nobody_had_looked_at() -> None:
    charge = step("bob", "UPDATE credits SET balance = balance - 10")
    paid = step("bob", commits=["balance A: 50 > 40"])
    found = why([charge, paid], {"workspace": "A"})
    assert found is not None
    assert found["steps"] == [0, 1]
    assert "had read no purchase before the write at step 0" in found["sentence"]
    looked = step("bob", "SELECT total FROM purchases WHERE id = p_id")
    assert why([looked, charge, paid], {"workspace": "A"}) is None


def test_what_is_guilty_is_explained_before_anything_else() -> None:
    both = [
        step("bob", SELL, commits=["lead L1: available > sold", "lead L2: available > sold"]),
        step("alice", SELL, commits=["lead L1: sold > sold, sold_count 2", "lead L2: sold > sold, sold_count 2"]),
    ]
    found = why(both, {"lead": "L2"})
    assert found is not None
    assert "lead L2" in found["sentence"]


@pytest.mark.parametrize(
    "steps",
    [
        [step("bob", SELL, commits=["lead L1: available > sold"])],
        [step("bob", SELL, commits=["lead L1: available > sold"]), step("bob", SELL, commits=["lead L1: sold > lost"])],
        [step("bob", "SELECT 1"), step("alice", "SELECT 1")],
        # The subject has no probe that tells where a key is.
        [step("bob", commits=["key k of A: - > held"]), step("alice", commits=["key k of A: held > done"])],
    ],
    ids=["one change", "one session", "nothing", "no table"],
)
def test_no_sentence_where_the_steps_show_nothing(steps: list[dict[str, Any]]) -> None:
    assert why(steps) is None


def test_a_deadlock_is_who_waited_for_whose_row() -> None:
    first, second = step("credits", SELL), step("stripe", SELL)
    rows = {"credits": {"name": "purchase p", "table": "purchases"}, "stripe": {"name": None, "table": "leads"}}
    first["events"] = [{"kind": "wait", "session": "credits"}]
    cycle = [
        {"session": "stripe", "waits_for": "credits", "row": rows["stripe"]},
        {"session": "credits", "waits_for": "stripe", "row": rows["credits"]},
    ]
    second["events"] = [
        {"kind": "wait", "session": "stripe"},
        {"kind": "deadlock", "session": "stripe", "cycle": cycle},
    ]
    assert why([first, second], {}) == {
        "sentence": "credits waited from step 0 on for purchase p, which stripe had locked, "
        "and stripe waited from step 1 on for a row of leads, which credits had locked: none of them could go on",
        "steps": [0, 1],
    }
    del cycle[0]["row"]
    assert why([first, second], {}) is None


def waits(session: str, row: str, *peers: str) -> dict[str, Any]:
    event = {"kind": "wait", "session": session, "peers": list(peers), "row": {"name": row, "table": "credits"}}
    return {**step(session, SELL), "events": [event]}


def test_who_was_to_wait_for_nobody_is_told_with_the_whole_chain_and_not_with_what_they_changed() -> None:
    stranger = [step("seller"), waits("first", "lead L1", "seller"), waits("other", "balance A", "first")]
    paid = [
        step("first", "UPDATE credits SET balance = balance - 10", commits=["balance A: 50 > 40"]),
        step("other", "UPDATE credits SET balance = balance - 10", commits=["balance A: 40 > 30"]),
    ]
    guilty = {"waits": "2", "for": "0"}
    assert why([*stranger, *paid], guilty) == {
        "sentence": "first waited from step 1 on for lead L1, which seller had locked, "
        "and other waited from step 2 on for balance A, which first had locked",
        "steps": [1, 2],
    }
    two = [step("seller"), waits("other", "balance A", "first", "seller")]
    assert why([*two, *paid], guilty) is None
    del stranger[1]["events"][0]["row"]
    assert why([*stranger, *paid], guilty) is None


def test_a_wait_that_was_over_is_no_part_of_a_chain() -> None:
    woke = {**step("first"), "events": [{"kind": "wake", "session": "first"}]}
    over = [waits("first", "lead L1", "seller"), woke, waits("other", "balance A", "first")]
    assert why(over, {"waits": "2", "for": "0"}) is None


START = {
    "workspaces": {"A": "50", "B": "50"},
    "leads": {name: {"status": "available"} for name in ("L1", "L2")},
    "purchases": {"p": {"status": "pending"}},
}


@pytest.mark.parametrize(
    ("saw", "is_told"),
    [
        ({"v_lead": "lead L1"}, True),
        ({"v_lead": "id lead L1, price 10"}, True),
        ({"v_lead": "lead lead L1, purchase 7.00"}, True),
        ({"v_leads": "[lead L2, lead L1]"}, True),
        ({"v_lead": "lead L2"}, False),
        ({"id": "lead L2", "price": "10"}, False),
        ({"v_leads": "[lead L2]"}, False),
        ({"v_lead": "lead lead L2"}, False),
        ({"rows": "2", "id": "lead L2"}, True),
        ({"v_leads": f"[lead L2, {'x' * 190}…"}, True),
        ({"v_kind": "lead generation"}, True),
    ],
)
def test_a_statement_that_saw_another_row_is_no_look_at_this_one(saw: dict[str, str], is_told: bool) -> None:
    steps = [
        step("alice", LOOK, saw=[{"name": name, "value": value} for name, value in saw.items()]),
        step("bob", SELL, commits=["lead L1: available > sold"]),
        step("alice", SELL, commits=["lead L1: sold > sold, sold_count 2"]),
    ]
    assert (why(steps, start=START) is not None) is is_told


@pytest.mark.parametrize(
    ("value", "is_told"),
    [("id workspace A, balance 50.00", True), ("balance 50.00", True), ("id workspace B, balance 50.00", False)],
)
def test_a_balance_that_was_seen_is_that_of_its_workspace(value: str, is_told: bool) -> None:
    charge = "UPDATE credits SET balance = v_left"
    found = why(
        [
            step("alice", "SELECT * INTO v_row FROM credits", saw=[{"name": "v_row", "value": value}]),
            step("bob", charge, commits=["balance A: 50 > 40"]),
            step("alice", charge, commits=["balance A: 40 > 30"]),
        ],
        {"workspace": "A"},
        start=START,
    )
    assert (found is not None and "alice read balance A at step 0" in found["sentence"]) is is_told


def test_nobody_is_said_not_to_have_looked_again_who_may_have() -> None:
    def seen(lead: str) -> dict[str, Any]:
        return step("alice", LOOK, saw=[{"name": "id", "value": f"lead {lead}"}])

    bought, sold = (
        step("bob", SELL, commits=["lead L1: available > sold"]),
        step("alice", SELL, commits=["lead L1: sold > sold, sold_count 2"]),
    )
    again = why([seen("L1"), bought, seen("L2"), sold], start=START)
    assert again is not None
    assert again["sentence"].endswith("made it sold at step 1; and alice made it sold, sold_count 2 at step 3")


CHARGE = "UPDATE credits SET balance = balance - 10"


def charged_by_two(*before: str, after: str) -> dict[str, Any] | None:
    """Bob and alice charge one balance, each for the purchase or the top-up that they have looked at ``before``."""
    return why(
        [
            *(step(session, statement) for session in ("bob", "alice") for statement in before),
            step("bob", CHARGE, commits=["balance A: 50 > 40"]),
            step("alice", CHARGE, commits=[f"balance A: 40 > {after}"]),
            step("alice", "UPDATE topups SET done = true"),
        ],
        {"workspace": "A"},
    )


def test_what_a_balance_was_is_a_reason_only_where_it_was_too_little() -> None:
    assert charged_by_two("SELECT 1 FROM purchases", after="30") is None
    overdrawn = charged_by_two("SELECT 1 FROM purchases", after="-10")
    assert overdrawn is not None
    assert overdrawn["sentence"] == (
        "bob made balance A 40 at step 2; alice made it -10 at step 3, and had not looked: "
        "the write at step 3 was the first statement on credits"
    )


def test_what_a_balance_is_changed_for_is_looked_at_first() -> None:
    blind = charged_by_two(after="30")
    assert blind is not None
    assert "alice made balance A 30, which had been 40, at step 1, and had read no purchase" in blind["sentence"]
    assert charged_by_two("SELECT 1 FROM topups", after="30") is None


def test_a_subject_without_top_ups_has_purchases_alone() -> None:
    steps = [
        step("alice", "SELECT 1 FROM elsewhere"),
        step("bob", CHARGE, commits=["balance A: 50 > 40"]),
        step("alice", CHARGE, commits=["balance A: 40 > 30"]),
    ]
    for number, each in enumerate(steps):
        each["step"] = number
    tables = {kind: names for kind, names in TABLES.items() if kind != "top-up"}
    found = because({"sessions": [], "steps": steps}, {"workspace": "A"}, lambda kind: tables.get(kind, ()), nothing)
    assert found is not None
    assert "alice made balance A 30" in found["sentence"]
    assert "had read no purchase" in found["sentence"]
