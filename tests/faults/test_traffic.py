"""The traffic of a crash round: what writers ask for, and that whatever comes of it can be judged in no time."""

from __future__ import annotations

import cProfile
from dataclasses import replace
from random import Random

import pytest

from harness.faults.traffic import Writer, draw_writers, made_by, market
from harness.marketplace.model import apply, initial, state_of
from harness.marketplace.names import Names
from harness.marketplace.operations import (
    Buy,
    Checkout,
    CompleteCredit,
    Deliver,
    MarkSold,
    Operation,
    Refund,
    TopUp,
)
from harness.marketplace.properties import check_once
from harness.marketplace.subject import Subject, load_subject
from harness.resources import bundled
from harness.stress.arena import SAFETY
from harness.words.history import Call, History, Status


@pytest.fixture(scope="module")
def reference() -> Subject:
    return load_subject("reference", bundled("sql"))


def everything(subject: Subject, seed: int = 0, writers: int = 6, length: int = 16) -> list[list[Operation]]:
    """What writers would ask for if every checkout were opened."""
    found = []
    for writer in draw_writers(subject, Random(seed), writers, length):
        found.append(program := list[Operation]())
        for operation in writer:
            writer.knows(operation)
            program.append(operation)
    return found


def test_they_do_a_bit_of_everything(reference: Subject) -> None:
    kinds = {type(each) for program in everything(reference) for each in program}
    assert kinds == {Buy, Checkout, CompleteCredit, Deliver, MarkSold, TopUp, Refund}


def test_the_seed_decides_what(reference: Subject) -> None:
    assert everything(reference, 1) == everything(reference, 1) != everything(reference, 2)


def test_nobody_asks_a_subject_for_what_it_has_no_call_for(reference: Subject) -> None:
    calls = {name: each for name, each in reference.calls.items() if name not in ("refund", "mark_sold")}
    kinds = {type(each) for program in everything(replace(reference, calls=calls)) for each in program}
    assert kinds == {Buy, Checkout, CompleteCredit, Deliver, TopUp}


@pytest.mark.parametrize("lacking", ["top_up", "reservation"])
def test_a_start_has_nothing_that_the_subject_has_no_fixture_for(lacking: str, reference: Subject) -> None:
    assert reference.lacks(market(reference), ()) == ()
    poor = replace(reference, fixtures={name: each for name, each in reference.fixtures.items() if name != lacking})
    assert poor.lacks(market(poor), ()) == ()


def test_every_purchase_has_its_id_before_it_is_made(reference: Subject) -> None:
    made = [each.purchase for each in made_by(6, 16) if isinstance(each, Buy)]
    names = Names(reference.ids, market(reference), made)
    known = {str(names.id_of("purchase", name)) for name in (*market(reference).purchases, *made)}
    for program in everything(reference):
        for operation in program:
            if isinstance(operation, Buy | Checkout):
                assert str(names.id_of("purchase", operation.purchase)) in known


def test_nobody_pays_at_a_checkout_that_was_not_opened() -> None:
    opened, refused = Checkout("A", ("L1",), "p"), Checkout("A", ("L2",), "q")
    paid = [Deliver("1", "checkout.session.completed", name) for name in ("p", "q", "s")]
    writer = Writer(0, [opened, refused, *paid])
    seen = []
    for operation in writer:
        seen.append(operation)
        if operation is not refused:
            writer.knows(operation)
    assert seen == [opened, refused, paid[0], paid[2]]
    assert len(writer) == 5
    assert list(writer) == []


def history(subject: Subject, writers: int) -> History:
    """What the model makes of so many writers who come one after the other."""
    start, calls = market(subject), list[Call]()
    state = initial(start)
    for writer in draw_writers(subject, Random(0), writers, 16):
        for operation in writer:
            result, state = apply(state, operation)
            calls.append(Call(writer.session, operation, 2 * len(calls), 2 * len(calls) + 1, result))
            if result.status is Status.OK:
                writer.knows(operation)
    return History(tuple(calls), start, state_of(state))


def test_judging_grows_with_the_history_and_not_with_its_square(reference: Subject) -> None:
    def work(writers: int) -> float:
        """Function calls that judging takes, for each call of the history."""
        judged = history(reference, writers)
        with cProfile.Profile() as profile:
            assert check_once(judged, SAFETY) == []
        return sum(entry.callcount for entry in profile.getstats()) / len(judged.calls)

    assert work(96) < 3 * work(12)
