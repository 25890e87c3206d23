"""A correct marketplace keeps every property in every interleaving of its transactions, also when it is cut off."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.marketplace.properties import PROPERTIES, check
from harness.marketplace.scenario import labels, missing

from .simulator import histories
from .test_scenarios import SCENARIOS


@pytest.mark.parametrize("probed", [True, False])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_correct_marketplace_keeps_every_property(name: str, probed: bool) -> None:
    for history in histories(SCENARIOS[name], probed=probed):
        assert check(history, tuple(PROPERTIES)) == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_shows_all_that_must_happen_but_locks(name: str) -> None:
    seen = sum(map(labels, histories(SCENARIOS[name])), Counter[str]())
    locks = {"wait", "busy", "busy:key_in_progress"}
    lost = {"fault:cut-after-send", "unknown:Request"}
    assert [
        label for label in missing(SCENARIOS[name].happened, seen) if not (locks | lost) & {*label.split("|")}
    ] == []
