"""A few scenarios for many."""

from __future__ import annotations

from harness.marketplace.covering import covering, meetings
from harness.marketplace.scenario import load_scenarios
from harness.resources import bundled

ALL = list(load_scenarios(bundled("scenarios")).values())
MET = set().union(*map(meetings, ALL))


def test_whatever_meets_in_any_meets_in_one_of_the_few() -> None:
    few = covering(ALL)
    assert set().union(*map(meetings, few)) == MET
    assert len(few) < len(ALL) / 2


def test_none_of_them_is_there_for_nothing() -> None:
    few = covering(ALL)
    for number, scenario in enumerate(few):
        before: set[tuple[str, ...]] = set().union(*map(meetings, few[:number]))
        assert meetings(scenario) - before


def test_it_is_known_who_meets_whom() -> None:
    (buyers,) = (each for each in ALL if each.name == "two-buyers-one-lead")
    assert {("Buy",), ("at once", "Buy", "Buy"), ("property", "sold-once")} <= meetings(buyers)
    (struck,) = (each for each in ALL if each.name == "purchase-cancelled-beside-a-buyer")
    assert ("at once", "Buy", "a fault") in meetings(struck)


def test_of_nothing_nothing_is_chosen() -> None:
    assert covering([]) == []
