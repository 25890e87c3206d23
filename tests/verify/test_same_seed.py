"""The same seed, the same report: whoever runs it, on however many cores, and whenever it is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.db.any_server import AnyServer
from harness.explore.mixture import Mixture
from harness.marketplace.scenario import load_scenarios
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.verify.enquiry import Enquiry, seed_of
from harness.verify.orders import Order
from harness.verify.prepared import prepare
from harness.verify.theatre import Theatre
from tests.verify.conftest import RACES, Verified, verify

OTHERWISE = {"run", "seconds", "found_after_seconds", "workers"}
"""What may differ between two runs of one seed. File names do not: each run is made in a directory of its own."""


def the_same(part: Any) -> Any:
    """A document without what may differ."""
    if isinstance(part, dict):
        return {name: the_same(value) for name, value in part.items() if name not in OTHERWISE}
    return [the_same(each) for each in part] if isinstance(part, list) else part


def again(run: Verified, directory: Path, server: AnyServer, *more: str) -> Verified:
    """The scenarios of ``run``, verified once more in another directory."""
    document = run.document
    names = [word for each in document["scenarios"] for word in ("--scenario", each["name"])]
    limit = str(document["limits"]["schedules"])
    subject = document["subject"]["name"]
    return verify(directory, "--subject", subject, *names, "--max-schedules", limit, "--dsn", server.dsn(), *more)


def test_one_worker_or_two(reference: Verified, server: AnyServer, tmp_path: Path) -> None:
    alone = again(reference, tmp_path, server, "--workers", "1")
    assert (alone.document["server"]["workers"], reference.document["server"]["workers"]) == (1, 2)
    assert the_same(alone.document) == the_same(reference.document)


def test_counterexamples_are_the_same_to_the_last_step(published: Verified, server: AnyServer, tmp_path: Path) -> None:
    second = again(published, tmp_path, server, "--seed", "0")
    assert the_same(second.document) == the_same(published.document)
    for property_id in ("sold-once", "charged-once", "serializable"):
        assert second.schedule_of(property_id).read_text() == published.schedule_of(property_id).read_text()


def test_another_seed_draws_others(reference: Verified, server: AnyServer, tmp_path: Path) -> None:
    other = again(reference, tmp_path, server, "--seed", "1")
    first, second = (run.document["scenarios"][0] for run in (reference, other))
    assert first["name"] == second["name"] == RACES[0]
    assert first["digest"] != second["digest"]


@pytest.mark.parametrize("subject_name", ["reference", "published"])
def test_a_budget_only_says_where_to_stop(subject_name: str, server: AnyServer) -> None:
    """The runs of a smaller budget are a prefix of those of a greater one."""
    subject = load_subject(subject_name, bundled("sql"))
    scenario = load_scenarios(bundled("scenarios"))[RACES[0]]
    server.ensure_roles(subject.roles)
    with server.database() as dsn:
        plan = prepare(dsn, subject).plan
        order = Order(dsn, subject, server.local, None, (), None, seed=5, isolation="read committed", replays=2)
        with Theatre(order, plan) as theatre:

            def enquiry(quota: int | None) -> Enquiry:
                strategy = Mixture(seed_of(order.seed, scenario.name))
                return Enquiry(order, plan, scenario, quota, theatre.trial(scenario), strategy)

            stopped = enquiry(SMALL)
            while not stopped.finished:
                stopped.advance_for(0.005)
            goes_on = enquiry(None)
            at = {}
            for number in range(1, GREAT + 1):
                assert goes_on.campaign.advance()
                at[number] = goes_on.campaign.digest
    assert stopped.campaign.tally.schedules == SMALL
    assert stopped.campaign.digest == at[SMALL]
    assert len(set(at.values())) == GREAT
    assert stopped.campaign.tally.drawn.keys() == {"exhaustive", "urw", "pct", "random"}


SMALL, GREAT = 60, 90
"""Schedules of two budgets; the greater one goes on where the smaller one has begun to draw."""
