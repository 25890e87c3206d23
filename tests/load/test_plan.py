"""Scenarios by name, and how much a plan prepares for them."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from harness.load.nemesis import Strikes
from harness.load.plan import EVENTS_MAX, LEADS_MAX, Plan, find_scenario, scenario_files
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.words.errors import UsageError

FOLDER = bundled("locustfiles")


def plan(name: str, *, seconds: float = 10, rate: float = 0.0) -> Plan:
    subject = load_subject("reference", bundled("sql"))
    return Plan(find_scenario(name, FOLDER), subject, users=8, seconds=seconds, rate=rate)


def test_all_seven_are_there_and_say_what_they_are() -> None:
    names = {path.stem for path in scenario_files(FOLDER)}
    assert names == {
        *("marketplace_mix", "hot_lead", "hot_workspace", "webhook_storm", "soak", "step_load", "sql_functions")
    }
    assert all(find_scenario(name, FOLDER).about.endswith(".") for name in names)


def test_a_dash_will_do_and_a_path_of_ones_own() -> None:
    assert find_scenario("hot-lead", FOLDER) == find_scenario("hot_lead", FOLDER)
    assert find_scenario("hot_lead", FOLDER).users == 100


def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text('"""My load.\n\nMore of it."""\n', encoding="utf-8")
    found = find_scenario(str(path), FOLDER)
    assert (found.name, found.about, found.direct, found.events) == ("mine", "My load.", False, True)


def test_an_unknown_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean hot_lead"):
        find_scenario("hot_leads", FOLDER)
    with pytest.raises(UsageError, match="unknown-load"):
        find_scenario(str(tmp_path / "nothing.py"), FOLDER)


def test_there_is_enough_to_sell() -> None:
    assert plan("sql_functions").leads >= 10 * 1000
    assert plan("sql_functions", rate=50.0).leads == 1000
    assert plan("sql_functions", seconds=10**6).leads == LEADS_MAX
    assert plan("sql_functions").events == 0 < plan("webhook_storm").events


def test_strikes_are_spread_over_the_run() -> None:
    assert not Strikes()
    assert Strikes(crashes=2).moments(30, Random(0)) == [(10, "crash"), (20, "crash")]
    moments = Strikes(kills_per_second=2, crashes=1).moments(100, Random(0))
    kills = [at for at, kind in moments if kind == "kill"]
    assert moments == sorted(moments)
    assert 150 < len(kills) < 250
    assert min(kills) > 1
    assert max(kills) < 99


def test_a_day_of_soak_prepares_no_more_than_fits() -> None:
    assert plan("soak", seconds=600).events < EVENTS_MAX == plan("soak", seconds=86_400).events
    assert plan("hot_lead", seconds=86_400).events == 0
