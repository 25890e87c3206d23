"""What ran before the sessions: each time the same, part of the history, told, and explored no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from harness.db.any_server import AnyServer
from harness.db.plan import Plan
from harness.engine.campaign import fingerprint
from harness.explore.exhaustive import Exhaustive
from harness.explore.sparse import Sparse
from harness.marketplace.block import Block, Nemesis, alone
from harness.marketplace.operations import Buy, Refund, TopUp
from harness.marketplace.properties import RACING, check
from harness.marketplace.scenario import Scenario, ScenarioError
from harness.marketplace.start import LeadStart, Start, TopUpStart
from harness.marketplace.subject import load_subject
from harness.report.lanes import lanes
from harness.resources import bundled
from harness.verify.alone import staged
from harness.verify.repeat import run_again
from harness.verify.story import tell
from harness.verify.theatre import Theatre
from harness.words.fault import CANCEL
from harness.words.history import Status
from harness.words.schedule import Switch

pytestmark = pytest.mark.usefixtures("unpinned")

RACE = {"one": (Buy("A", ("L1",), "p"),), "other": (Buy("B", ("L1",), "q"),)}
SCENARIO = Scenario(
    "late-race",
    "Alice can pay only after her top-up; the first lead is fought over before the second.",
    Start(
        {"A": Decimal(0), "B": Decimal(50)},
        {"L1": LeadStart(Decimal(10)), "L2": LeadStart(Decimal(10))},
        top_ups={"t": TopUpStart("A", Decimal(10))},
    ),
    {"alice": [Buy("A", ("L2",), "r")], "bob": [Buy("B", ("L2",), "s")]},
    RACING,
    ("overlap",),
    prologue=(alone(TopUp("t")), Block(RACE, (Switch(4, 1),))),
)


@pytest.fixture(scope="module")
def stage(server: AnyServer) -> Iterator[tuple[Plan, Theatre]]:
    with staged(server, load_subject("reference", bundled("sql")), "read committed") as (_, plan, theatre):
        yield plan, theatre


def test_the_prologue_is_the_same_whatever_the_schedule(stage: tuple[Plan, Theatre]) -> None:
    trial = stage[1].trial(SCENARIO)
    strategy = Exhaustive(bound=1)
    prologues, ends = set(), set()
    while strategy.begin():
        run, history = trial.run(strategy)
        strategy.end(run.decisions)
        prologues.add(history.calls[:3])
        ends.add(fingerprint(history))
        assert check(history, SCENARIO.properties) == []
    assert len(prologues) == 1
    assert len(ends) > 1


def test_its_calls_come_before_step_0(stage: tuple[Plan, Theatre]) -> None:
    run, history = stage[1].trial(SCENARIO).run(Sparse(()))
    top_up, one, other, *fought = history.calls
    assert [call.operation for call in (top_up, one, other)] == [TopUp("t"), RACE["one"][0], RACE["other"][0]]
    assert top_up.precedes(one)
    assert top_up.precedes(other)
    assert one.overlaps(other)
    assert all(call.precedes(later) for call in (top_up, one, other) for later in fought)
    assert other.invoked < 0 <= fought[0].invoked < run.steps


def test_it_is_repeated_exactly(stage: tuple[Plan, Theatre]) -> None:
    trial = stage[1].trial(SCENARIO)
    run, history = trial.run(Sparse((Switch(3, 1),)))
    for _ in range(5):
        assert run_again(trial, run.decisions, run.events, fingerprint(history)).difference == ""


def test_a_cancel_in_it_strikes_there(stage: tuple[Plan, Theatre]) -> None:
    cut = Block({"alice": (Buy("A", ("L1",), "p"),), "nemesis": Nemesis("alice", CANCEL)}, (Switch(5, 1),))
    scenario = replace(SCENARIO, prologue=(alone(TopUp("t")), cut))
    _, history = stage[1].trial(scenario).run(Sparse(()))
    assert history.calls[1].result.status is Status.FAILED
    assert history.calls[2].result.status is Status.OK


def test_it_is_told_above_the_lanes(stage: tuple[Plan, Theatre]) -> None:
    plan, theatre = stage
    run, history = theatre.trial(SCENARIO).run(Sparse(()))
    story = tell(SCENARIO, plan, run, history)
    assert [block["at_once"] for block in story["before"]] == [False, True]
    told = lanes(story, ascii_only=True).splitlines()
    assert told[0].startswith("before   TopUp t -> ok (")
    assert told[1].startswith("         Buy A L1 p -> ")
    assert told[2].startswith("       & Buy B L1 q -> ")
    assert told[3] == ""


def test_it_decides_what_a_schedule_belongs_to() -> None:
    digests = {
        replace(SCENARIO, prologue=prologue).digest
        for prologue in ((), (alone(TopUp("t")),), (Block(RACE),), (Block(RACE, (Switch(4, 1),)),))
    }
    assert len(digests) == 4


def test_mistakes_in_it_are_found() -> None:
    for block, said in (
        (alone(Refund("elsewhere")), "'elsewhere', which nobody declared"),
        (Block({"nemesis": Nemesis("alice", CANCEL)}), "'alice', which is no session"),
        (Block({"idle": ()}), "'idle' does nothing"),
        (alone(Buy("A", ("L2",), "r")), "'r' is made twice"),
    ):
        with pytest.raises(ScenarioError, match=said):
            replace(SCENARIO, prologue=(block,))
