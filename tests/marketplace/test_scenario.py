"""Scenarios as values and as files: mistakes are found when they are made, with the file and the line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness.marketplace.block import Nemesis
from harness.marketplace.model import initial, state_of
from harness.marketplace.operations import Buy, Checkout, CompleteCredit, Deliver, Refund, TopUp, UpdatePrice, Validate
from harness.marketplace.scenario import Scenario, ScenarioError, labels, load_scenarios, missing
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from harness.words.errors import ExitCode, UsageError
from harness.words.fault import CANCEL
from harness.words.history import Call, Event, EventKind, History, Result, Status

TEN = Decimal(10)
START = Start({"A": TEN, "B": TEN}, {"L1": LeadStart(TEN)}, {"p": PurchaseStart("A", ("L1",))})
BUY = Buy("A", ("L1",), "new")


def scenario(**changes: Any) -> Scenario:
    fields: dict[str, Any] = {
        "name": "case",
        "theory": "Something may go wrong.",
        "start": START,
        "sessions": {"alice": [BUY]},
        "properties": ("sold-once",),
        "happened": ("ok:Buy",),
    }
    return Scenario(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"sessions": {}}, "no sessions"),
        ({"sessions": {"alice": []}}, "'alice' does nothing"),
        ({"theory": ""}, "its theory is empty"),
        ({"properties": ()}, "its properties is empty"),
        ({"happened": ()}, "its happened is empty"),
        ({"isolation": "chaos"}, "'chaos' is none of"),
        ({"exercises": {"no-hang": ("wait",)}}, "'no-hang', which is not among its properties"),
        ({"sessions": {"alice": [BUY], "nemesis": Nemesis("bob", CANCEL)}}, "strikes 'bob'"),
        ({"sessions": {"alice": [BUY], "nemesis": Nemesis("nemesis", CANCEL)}}, "strikes 'nemesis'"),
        ({"sessions": {"alice": [BUY, BUY]}}, "purchase 'new' is made twice"),
        ({"sessions": {"alice": [Checkout("A", ("L1",), "p")]}}, "purchase 'p' is made twice"),
        ({"sessions": {"alice": [Validate("Z", ("L1",))]}}, "the workspace 'Z', which nobody declared"),
        ({"sessions": {"alice": [Refund("q")]}}, "the purchase 'q', which nobody declared"),
        ({"sessions": {"alice": [Deliver("e", "charge.lost", "p")]}}, "the webhook 'charge.lost'"),
        ({"sessions": {"alice": [TopUp("t")]}}, "the top-up 't', which nobody declared"),
        ({"sessions": {"alice": [UpdatePrice("L9", TEN)]}}, "the lead 'L9', which nobody declared"),
        ({"start": Start({"A": TEN}, {}, {"p": PurchaseStart("A", ("L1",))})}, "the lead 'L1', which nobody declared"),
        ({"start": Start({"A": TEN}, {}, {}, {"t": TopUpStart("Z", TEN)})}, "the workspace 'Z', which nobody declared"),
    ],
)
def test_a_mistake_is_found_when_it_is_made(changes: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ScenarioError, match=r"^scenario 'case': ") as caught:
        scenario(**changes)
    assert mistake in str(caught.value)


def test_ids_that_any_client_can_send_need_not_be_known() -> None:
    operations = [Validate("A", ("nowhere",)), CompleteCredit("nowhere", "A", TEN)]
    assert scenario(sessions={"alice": operations}).operations == tuple(operations)


def test_a_digest_covers_what_decides_a_run_and_nothing_else() -> None:
    base = scenario().digest
    assert scenario(theory="Another word.", properties=("no-hang",)).digest == base
    assert scenario(sessions={"alice": (BUY,)}).digest == base
    others = [
        scenario(isolation="serializable"),
        scenario(sessions={"alice": [BUY], "nemesis": Nemesis("alice", CANCEL)}),
        scenario(start=Start({"A": TEN, "B": Decimal(11)}, {"L1": LeadStart(TEN)}, START.purchases)),
    ]
    assert len({base, *(other.digest for other in others)}) == 4


def test_a_digest_is_the_same_in_every_process() -> None:
    assert scenario().digest == "b1d2f3fada74"


def test_what_exercises_a_property_can_be_said_apart() -> None:
    case = scenario(properties=("sold-once", "no-hang"), exercises={"no-hang": ("wait",)})
    assert case.exercised_by("sold-once") == ("ok:Buy",)
    assert case.exercised_by("no-hang") == ("wait",)


def test_labels_say_what_happened() -> None:
    calls = (
        Call(0, CompleteCredit("p", "A", TEN), 0, 4, Result(Status.OK, value=(("already_completed", True),))),
        Call(1, BUY, 1, 3, Result(Status.REFUSED, "lead_unavailable")),
        Call(1, BUY, 5, 6, Result(Status.FAILED, "57014")),
        Call(2, BUY, 5, 6, Result(Status.BUSY, "55P03")),
    )
    struck = Event(5, 2, EventKind.FAULT, "cancel", (1,))
    events = (Event(2, 1, EventKind.WAIT, peers=(0,)), Event(3, 1, EventKind.WAKE), struck)
    final = state_of(
        initial(Start(START.workspaces, START.leads, {"p": PurchaseStart("A", ("L1",), status="completed")}))
    )
    assert labels(History(calls, START, final, events)) == {
        "ok": 1,
        "ok:CompleteCredit": 1,
        "replayed": 1,
        "replayed:CompleteCredit": 1,
        "refused": 1,
        "refused:Buy": 1,
        "refused:lead_unavailable": 1,
        "failed": 1,
        "failed:Buy": 1,
        "failed:57014": 1,
        "busy": 1,
        "busy:Buy": 1,
        "busy:55P03": 1,
        "overlap": 2,
        "wait": 1,
        "cancelled": 1,
        "fault:cancel": 1,
        "ended:completed": 1,
    }


def test_what_is_missing_is_told_with_its_alternatives() -> None:
    assert missing(("overlap", "wait|busy", "replayed"), {"overlap", "busy"}) == ("replayed",)
    assert missing(("wait|busy",), set()) == ("wait|busy",)


FILE = '''
"""Theory."""
from harness.marketplace.operations import Buy
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, Start

case = Scenario(
    name="{name}",
    theory="It may fail.",
    start=Start({{"A": 1}}, {{"L1": LeadStart()}}),
    sessions={{"alice": [Buy("{workspace}", ("L1",), "p")]}},
    properties=("sold-once",),
    happened=("ok:Buy",),
)
again = case
'''


def test_scenarios_are_read_from_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text(FILE.format(name="second", workspace="A"))
    (tmp_path / "a.py").write_text(FILE.format(name="first", workspace="A"))
    assert list(load_scenarios(tmp_path)) == ["first", "second"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (FILE.format(name="case", workspace="Z"), 7, "the workspace 'Z', which nobody declared"),
        ("x = (\n", 1, "SyntaxError"),
        ("\n\nimport no_such_module\n", 3, "no_such_module"),
        ("x = 1\ny = x / 0\n", 2, "ZeroDivisionError"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = tmp_path / "case.py"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_scenarios(tmp_path)
    assert caught.value.exit_code == ExitCode.USAGE
    assert f"{path}:{line}: " in str(caught.value)
    assert words in str(caught.value)


def test_a_name_is_used_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(FILE.format(name="case", workspace="A"))
    with pytest.raises(UsageError, match=r"b\.py defines the scenario 'case', and so does .*a\.py"):
        load_scenarios(tmp_path)


def test_an_empty_directory_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no scenario was found"):
        load_scenarios(tmp_path)
