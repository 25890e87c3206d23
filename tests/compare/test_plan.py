"""What is called with what: the same on every side, by the seed alone."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from psycopg.types.numeric import Int8

from harness.compare.plan import NEEDS, plan_for
from harness.compare.stock import WORKSPACES, Stock
from harness.marketplace.subject import load_subject
from harness.resources import bundled

REFERENCE = load_subject("reference", bundled("sql"))
PUBLISHED = load_subject("published", bundled("sql"))


def test_the_seed_makes_the_plan() -> None:
    one, same, other = (plan_for([REFERENCE], seed) for seed in (1, 1, 2))
    asked = [[plan.ask(name, number) for name in plan.operations for number in (0, 7)] for plan in (one, same, other)]
    assert asked[0] == asked[1] != asked[2]


def test_what_is_in_the_tables_does_not_depend_on_what_is_measured() -> None:
    assert plan_for([REFERENCE], 0, only=["buy"]).stock == plan_for([REFERENCE], 0).stock


def test_only_what_both_have_is_called() -> None:
    assert set(plan_for([REFERENCE, PUBLISHED], 0).operations) < set(plan_for([REFERENCE], 0).operations)
    assert set(NEEDS) - set(plan_for([REFERENCE], 0).operations) == set()
    assert plan_for([REFERENCE, replace(PUBLISHED, without=("stripe",))], 0, only=["complete_stripe"]).operations == ()


def test_no_call_finds_a_row_that_another_has_used() -> None:
    plan = plan_for([REFERENCE], 0)
    lots = [lot for lot in plan.stock.lots if lot.rows in ("leads", "purchases")]
    taken = [range(lot.first, lot.end) for lot in lots]
    assert sum(map(len, taken)) == len(set().union(*taken)) <= plan.stock.leads == 50_000
    for name in plan.operations:
        calls = plan.calls(name) * plan.batches(name)
        if NEEDS[name].consumes:
            asked = [tuple(map(str, plan.ask(name, number).values())) for number in (*range(40), calls - 1)]
            assert len(set(asked)) == len(asked)


@pytest.mark.parametrize(("ids", "kind"), [("uuid", UUID), ("bigint", Int8)])
def test_ids_are_of_the_subjects_type(ids: str, kind: type) -> None:
    stock = Stock(3, ids, 10, ())
    assert isinstance(stock.id("lead", 4), kind)
    assert len({stock.id("lead", 1), stock.id("purchase", 1), stock.id("lead", 2), stock.made("lead", 1)}) == 4
    assert WORKSPACES > 1
