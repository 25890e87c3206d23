"""Every planted fault is found within the schedules that its file states, and its counterexample is the smallest."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from harness.db.any_server import AnyServer
from harness.marketplace.planted import PREFIX, REFERENCE, Fault, Shown, fault_files, find_subject, read_fault
from harness.marketplace.properties import PROPERTIES
from harness.resources import bundled
from harness.verify.alone import staged
from harness.verify.reduce import BOUND, Reduced, reduce
from tests.planted.search import Searched, search

pytestmark = pytest.mark.usefixtures("unpinned")

FAULTS = [fault for path in fault_files(bundled("sql")) if (fault := read_fault(path)).shown]


@dataclass(frozen=True)
class Case:
    """What came of one fault."""

    shown: Shown
    searched: Searched
    reduced: Reduced


def examine(server: AnyServer, fault: Fault) -> Case:
    """Search for a fault and reduce what is found."""
    assert fault.shown is not None
    subject = find_subject(PREFIX + fault.name, bundled("sql"))
    with staged(server, subject, "read committed") as (_, _, theatre):
        searched = search(theatre, subject, fault.shown.file, fault.shown.property)
        assert fault.shown.property in searched.broken, f"{fault.name} was not found in {searched.schedules} schedules"
        first = searched.broken[fault.shown.property]
        reduced = reduce(theatre.trial, first.scenario, fault.shown.property, finding=first.finding)
        assert reduced is not None
        return Case(fault.shown, searched, reduced)


KNOWN: dict[str, Case] = {}
"""What came of the faults that were examined in this process."""


def test_there_are_enough_of_every_kind() -> None:
    assert len(FAULTS) >= 15
    shown = [fault.shown for fault in FAULTS if fault.shown]
    assert len({each.file for each in shown}) >= 8
    assert {"sold-once", "conservation", "charged-once", "terminal-states", "paid-is-served"} <= {
        property_id for fault in FAULTS for property_id in fault.breaks
    }
    assert {each.preemptions for each in shown} >= {0, 1}
    assert {each.operations for each in shown} >= {1, 2, 3}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found_and_reduced(server: AnyServer, fault: Fault) -> None:
    case = KNOWN[fault.name] = examine(server, fault)
    first, small, finding = case.searched.broken[case.shown.property], case.reduced, case.reduced.finding

    assert first.schedules <= case.shown.schedules_max
    assert tuple(each for each in PROPERTIES if each in case.searched.broken) == fault.breaks

    assert (small.minimal, small.proved) == (True, True)
    assert small.bound >= BOUND
    assert len(small.scenario.operations) == case.shown.operations
    assert finding.preemptions == case.shown.preemptions <= first.finding.preemptions
    assert finding.violation.property == case.shown.property


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["balance-written-back", "claim-outlives-effect"])
def test_the_same_again(server: AnyServer, name: str) -> None:
    (fault,) = [each for each in FAULTS if each.name == name]
    assert examine(server, fault) == (KNOWN.get(name) or examine(server, fault))


LONGEST = {
    file: max(fault.shown.schedules_max for fault in FAULTS if fault.shown and fault.shown.file == file)
    for file in sorted({fault.shown.file for fault in FAULTS if fault.shown})
}
"""Scenario file to the most schedules that a fault may take to be found there."""


@pytest.mark.parametrize(("file", "schedules"), LONGEST.items(), ids=list(LONGEST))
def test_the_same_search_does_not_accuse_the_reference(server: AnyServer, file: str, schedules: int) -> None:
    subject = find_subject(REFERENCE, bundled("sql"))
    with staged(server, subject, "read committed") as (_, _, theatre):
        searched = search(theatre, subject, file, schedules_max=schedules)
    assert not searched.broken
    assert searched.schedules >= min(schedules, 10)
