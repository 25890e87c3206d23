"""The table of defects in docs/scenarios.md is true: on a server, each scenario finds what it is said to find."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from harness.db.any_server import AnyServer
from harness.engine.campaign import Campaign
from harness.explore.mixture import Mixture
from harness.marketplace.properties import check
from harness.marketplace.scenario import labels
from harness.marketplace.subject import load_subject
from harness.verify.alone import staged
from harness.verify.theatre import Theatre

from .test_scenarios import SCENARIOS, section

SUBJECTS = Path(__file__).parents[2] / "sql"
SCHEDULES_MAX = 3000


def promises(after: str, before: str) -> list[tuple[str, tuple[str, ...]]]:
    """The rows of a table: each scenario with the properties that it is said to break."""
    table = section("scenarios.md", "Which scenario finds what").split(after)[1].split(before)[0]
    found = []
    for line in table.splitlines():
        if line.startswith("| ") and "`" in line:
            scenarios, properties = line.split(" | ")[-2:]
            for names, ids in zip(scenarios.split(";"), properties.split(";"), strict=True):
                found += [(name, tuple(re.findall(r"`([^`]+)`", ids))) for name in re.findall(r"`([^`]+)`", names)]
    return found


PUBLISHED = promises("| defect |", "And what the document")
BEFORE = promises("| issue |", "## All of them")


@pytest.fixture(scope="module", params=["published", "before"])
def subject(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def theatre(server: AnyServer, subject: str) -> Iterator[Theatre]:
    with staged(server, load_subject(subject, SUBJECTS), "read committed") as (_, _, theatre):
        yield theatre


def found(theatre: Theatre, name: str, wanted: tuple[str, ...]) -> set[str]:
    """Run schedules until all that is wanted is broken, or there are none left."""
    campaign = Campaign(theatre.trial(SCENARIOS[name]), Mixture(1), partial(check, ids=wanted), labels)
    while (
        len(campaign.tally.findings) < len(wanted) and campaign.tally.schedules < SCHEDULES_MAX and campaign.advance()
    ):
        pass
    return set(campaign.tally.findings)


@pytest.mark.parametrize("subject", ["published"], indirect=True)
@pytest.mark.parametrize(("name", "properties"), PUBLISHED)
def test_the_published_functions_are_found_wanting(theatre: Theatre, name: str, properties: tuple[str, ...]) -> None:
    assert found(theatre, name, properties) == set(properties)


@pytest.mark.parametrize("subject", ["before"], indirect=True)
@pytest.mark.parametrize(("name", "properties"), BEFORE)
def test_the_code_before_is_found_wanting(theatre: Theatre, name: str, properties: tuple[str, ...]) -> None:
    assert found(theatre, name, properties) == set(properties)


def test_the_tables_are_read() -> None:
    assert len(PUBLISHED) >= 30
    assert [name for name, _ in BEFORE][-1] == "webhook-replayed-while-the-first-runs"
