"""A run told step by step."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from harness.db.plan import Plan, Point
from harness.engine.execution import Run
from harness.marketplace.block import Nemesis
from harness.marketplace.model import initial, state_of
from harness.marketplace.operations import Buy
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, Start
from harness.verify.story import plain, tell, tell_result
from harness.words.fault import CANCEL
from harness.words.history import Call, Event, EventKind, History, Result, Status
from harness.words.schedule import Decision
from harness.words.stage import CLIENT_POINT, FAULT_POINT, FOREIGN

START = Start({"A": Decimal("50.10"), "B": Decimal(50)}, {"L1": LeadStart(Decimal(10))})
ALICE, BOB = Buy("A", ("L1",), "p"), Buy("B", ("L1",), "q")
SCENARIO = Scenario(
    "race", "...", START, {"alice": [ALICE], "bob": [BOB], "nemesis": Nemesis("bob", CANCEL)}, ("sold-once",), ("ok",)
)
PLAN = Plan(
    (
        Point(1, "public", "public.buy(bigint)", 7, "sql", "UPDATE lead ...", False),
        Point(2, "public", "public.buy(bigint)", 9, "end", "", True),
    ),
    (),
    (),
    (),
)
RUN = Run(
    decisions=[
        Decision((0, 1, 2), None, 0),
        Decision((0, 1, 2), 0, 1),
        Decision((0, 2), 1, 0),
        Decision((1, 2), 0, 2),
        Decision((0,), 2, 0),
    ],
    points=[1, CLIENT_POINT, 2, FAULT_POINT, CLIENT_POINT],
    statements={0: "SELECT *\n  FROM buy(%(id)s)", 1: "SELECT  1", 4: "COMMIT"},
    events=[
        Event(1, 1, EventKind.WAIT, "", (0, FOREIGN)),
        Event(3, 2, EventKind.FAULT, "cancel", (1,)),
        Event(3, 1, EventKind.ERROR, "57014"),
    ],
)
HISTORY = History(
    (
        Call(0, ALICE, 0, 4, Result(Status.OK, "", (("balance", Decimal("40.10")), ("leads", ("L1", "L2"))))),
        Call(1, BOB, 1, 3, Result(Status.FAILED, "57014")),
    ),
    START,
    state_of(initial(START)),
    tuple(RUN.events),
)


def test_every_step_says_who_where_and_what() -> None:
    story = tell(SCENARIO, PLAN, RUN, HISTORY)
    assert story["sessions"] == ["alice", "bob", "nemesis"]
    first, second, third, fourth, last = story["steps"]
    assert first == {
        "step": 0,
        "session": "alice",
        "events": [],
        "where": "public.buy(bigint):7",
        "statement": "UPDATE lead ...",
        "sent": "SELECT * FROM buy(%(id)s)",
        "invokes": str(ALICE),
    }
    assert (second["where"], second["statement"], second["invokes"]) == ("client", "SELECT 1", str(BOB))
    assert (third["where"], third["statement"]) == ("public.buy(bigint):9", "")
    assert "invokes" not in third
    assert "sent" not in third
    assert fourth["where"] == "fault"
    assert "statement" not in fourth
    assert (last["where"], last["statement"]) == ("client", "COMMIT")


def test_a_preemption_is_a_step_away_from_one_that_could_have_gone_on() -> None:
    steps = tell(SCENARIO, PLAN, RUN, HISTORY)["steps"]
    assert [step.get("preempts") for step in steps] == [None, "alice", None, None, None]


def test_events_and_answers_are_told_at_their_steps() -> None:
    steps = tell(SCENARIO, PLAN, RUN, HISTORY)["steps"]
    assert [step["events"] for step in steps] == [
        [],
        [{"kind": "wait", "session": "bob", "peers": ["alice", "another client"]}],
        [],
        [
            {"kind": "fault", "session": "nemesis", "detail": "cancel", "peers": ["bob"]},
            {"kind": "error", "session": "bob", "detail": "57014"},
            {"kind": "return", "session": "bob", "detail": "failed 57014"},
        ],
        [{"kind": "return", "session": "alice", "detail": "ok (balance=40.10, leads=[L1 L2])"}],
    ]


def test_the_states_are_plain_and_money_is_exact() -> None:
    story = tell(SCENARIO, PLAN, RUN, HISTORY)
    assert json.loads(json.dumps(story)) == story
    assert story["start"]["workspaces"] == {"A": "50.10", "B": "50"}
    assert story["final"]["balances"]["A"] == "50.10"
    assert story["final"]["leads"]["L1"] == {"status": "available", "sold_count": 0}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("0.10"), "0.10"),
        ((("a", 1), ("b", (2, 3))), {"a": 1, "b": [2, 3]}),
        ((("p", "A", Decimal(1)),), [["p", "A", "1"]]),
        (("L1", "L2"), ["L1", "L2"]),
        ((), []),
        ({"x": Decimal(1)}, {"x": "1"}),
        (None, None),
        (True, True),
    ],
)
def test_plain_data(value: object, expected: object) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (Result(Status.OK), "ok"),
        (Result(Status.REFUSED, "lead_unavailable"), "refused lead_unavailable"),
        (Result(Status.OK, "", (("already_completed", True),)), "ok (already_completed=True)"),
        (Result(Status.UNKNOWN, "08006"), "unknown 08006"),
    ],
)
def test_what_a_client_was_told(result: Result, words: str) -> None:
    assert tell_result(result) == words
