"""The cases of the sweep: they make sense, cover every operation, and their scenarios are found again by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from harness.faults.case import Case, load_cases, scenario_named
from harness.faults.sweep import DRAWN_EACH, TIMEOUTS, Sweep, chosen_cases, chosen_faults, planned
from harness.marketplace.block import Nemesis
from harness.marketplace.operations import Operation
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.words.errors import UsageError
from harness.words.fault import CANCEL, CUT_AFTER_SEND, LOCK_TIMEOUT, TERMINATE, FaultKind, error

CASES = load_cases(bundled("scenarios") / "faults")


def sweep(pairs: int = 0, beside: int = 0, seed: int = 0) -> Sweep:
    subject = load_subject("reference", bundled("sql"))
    faults = chosen_faults(None, ["XX000"])
    return Sweep(subject, list(CASES.values()), faults, Path(), pairs=pairs, beside=beside, seed=seed)


def test_every_operation_there_is_is_struck() -> None:
    assert {type(case.program[0]) for case in CASES.values()} == set(get_args(Operation))


@pytest.mark.parametrize("name", CASES)
def test_a_case_says_what_it_is_about_and_tries_again(name: str) -> None:
    case = CASES[name]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
    assert case.theory.endswith(".")
    first, retry = case.program
    assert type(first) is type(retry)
    # Under a new purchase where there is one to be made, else the same once more.
    assert (first == retry) != (name.startswith(("buy", "checkout", "request")))
    assert case.beside


def test_every_file_states_its_theory() -> None:
    for path in (bundled("scenarios") / "faults").glob("*.py"):
        assert path.read_text().startswith('"""'), path


def test_names_lead_back_to_their_scenarios() -> None:
    case = CASES["buy"]
    for faults, beside in (([CANCEL], False), ([error("40001"), TERMINATE], False), ([CUT_AFTER_SEND], True)):
        scenario = case.scenario(faults, beside=beside)
        found = scenario_named(scenario.name, CASES)
        assert found is not None
        assert found.digest == scenario.digest
    assert case.scenario([error("40001"), CANCEL], beside=True).name == "buy~error=40001~cancel~beside"


@pytest.mark.parametrize("name", ["buy", "nothing~cancel", "buy~flood", "buy~error", "buy~cancel=40001", "two-buyers"])
def test_other_names_are_none(name: str) -> None:
    assert scenario_named(name, CASES) is None


def test_a_name_is_used_once(tmp_path: Path) -> None:
    text = (
        "from harness.faults.case import Case\n"
        "from harness.marketplace.operations import Sweep\n"
        "from harness.marketplace.start import Start\n"
        "one = Case('same', 'Theory.', Start({}, {}), (Sweep(),), (Sweep(),))\n"
    )
    for file in ("a.py", "b.py"):
        (tmp_path / file).write_text(text)
    with pytest.raises(UsageError, match="'same' again"):
        load_cases(tmp_path)


def test_single_faults_are_enumerated_and_only_a_lock_timeout_is_drawn() -> None:
    plans = planned(sweep())
    assert len(plans) == len(CASES) * len(FaultKind)
    for scenario, quota in plans:
        nemeses = [each for each in scenario.sessions.values() if isinstance(each, Nemesis)]
        assert len(nemeses) == 1
        assert (quota == TIMEOUTS) == (nemeses[0].fault == LOCK_TIMEOUT) == ("beside" in scenario.sessions)


def test_so_many_pairs_and_races_are_drawn_as_were_asked_for() -> None:
    drawn = planned(sweep(pairs=50, beside=45))[len(CASES) * len(FaultKind) :]
    pairs = [
        (scenario, quota)
        for scenario, quota in drawn
        if scenario.name.count("~") - ("beside" in scenario.sessions) == 2
    ]
    raced = [plan for plan in drawn if plan not in pairs]
    assert (sum(quota or 0 for _, quota in pairs), sum(quota or 0 for _, quota in raced)) == (50, 45)
    assert (len(pairs), len(raced)) == (-(-50 // DRAWN_EACH), -(-45 // DRAWN_EACH))
    assert [plan[0].name for plan in planned(sweep(50, 45))] == [plan[0].name for plan in planned(sweep(50, 45))]
    assert [plan[0].name for plan in planned(sweep(50, 45, seed=1))] != [
        plan[0].name for plan in planned(sweep(50, 45))
    ]


def test_what_cannot_be_swept_is_refused() -> None:
    with pytest.raises(UsageError, match="no operation 'fly'"):
        chosen_cases(CASES, ["fly"])
    with pytest.raises(UsageError, match="no fault 'flood'"):
        chosen_faults(["flood"], None)
    with pytest.raises(UsageError, match="no SQLSTATE"):
        chosen_faults(["error"], ["0"])


def test_what_is_chosen_is_chosen_once() -> None:
    assert chosen_faults(["error", "cancel", "error"], ["40001"]) == [error("40001"), CANCEL]
    assert [case.name for case in chosen_cases(CASES, ["sweep", "buy", "sweep"])] == ["sweep", "buy"]
    assert isinstance(CASES["buy"], Case)
