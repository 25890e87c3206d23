"""The search for a planted fault: what ``harness verify`` does with the scenarios of one file."""

from __future__ import annotations

import runpy
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle

from harness.engine.campaign import Campaign, Finding
from harness.explore.mixture import Mixture
from harness.marketplace.properties import check
from harness.marketplace.scenario import Scenario, labels
from harness.marketplace.subject import Subject
from harness.resources import bundled
from harness.verify.enquiry import seed_of
from harness.verify.run import playable
from harness.verify.theatre import Theatre

TURN = 5
"""How many schedules a scenario runs before it is the next one's turn."""
SCHEDULES_MAX = 300
"""How many schedules a search may take, all scenarios together."""


@dataclass(frozen=True)
class First:
    """The first run that broke a property; ``schedules`` were run until then, in all scenarios together."""

    scenario: Scenario
    finding: Finding
    schedules: int


@dataclass
class Searched:
    """All that a search broke, and how many schedules it ran."""

    broken: dict[str, First] = field(default_factory=dict)
    schedules: int = 0


def search(
    theatre: Theatre, subject: Subject, file: str, wanted: str = "", *, schedules_max: int = SCHEDULES_MAX
) -> Searched:
    """The scenarios of ``scenarios/FILE.py`` in turns, to the end of the turn that breaks ``wanted``."""
    searched = Searched()
    able, _ = playable(subject, scenarios_in(file))
    campaigns = [
        (
            scenario,
            Campaign(
                theatre.trial(scenario),
                Mixture(seed_of(0, scenario.name)),
                partial(check, ids=scenario.properties),
                labels,
            ),
        )
        for scenario in able
    ]
    for scenario, campaign in cycle(campaigns):
        take_turn(scenario, campaign, searched)
        if (
            wanted in searched.broken
            or searched.schedules >= schedules_max
            or all(each.finished for _, each in campaigns)
        ):
            return searched
    raise AssertionError(f"{file}.py has no scenarios")


def take_turn(scenario: Scenario, campaign: Campaign, searched: Searched) -> None:
    """Run some schedules of one scenario and note what they broke first."""
    tally = campaign.tally
    for _ in range(TURN):
        if not campaign.advance():
            break
        searched.schedules += 1
        for property_id in tally.findings.keys() - searched.broken.keys():
            searched.broken[property_id] = First(scenario, tally.findings[property_id], searched.schedules)
    assert tally.hang is None, scenario.name
    assert tally.diverged is None, scenario.name


def scenarios_in(file: str) -> list[Scenario]:
    """The scenarios of one file."""
    found = runpy.run_path(str(bundled("scenarios") / f"{file}.py")).values()
    return [*{each.name: each for each in found if isinstance(each, Scenario)}.values()]
