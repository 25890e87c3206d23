"""Requests under the scheduler: the reference's API keeps what it must, and a planted store does not."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from harness.db.any_server import AnyServer
from harness.doors.requesting import in_process
from harness.engine.campaign import Campaign
from harness.explore.exhaustive import Exhaustive
from harness.explore.mixture import Mixture
from harness.marketplace.properties import check
from harness.marketplace.scenario import labels, load_scenarios, missing
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.verify.alone import staged
from harness.verify.reduce import reduce
from tests.requests.planted_store import claims_early
from tests.verify.command import harness

SCENARIOS = load_scenarios(bundled("scenarios") / "api")
DOCS = Path(__file__).parents[2] / "docs" / "requests.md"
FEW = 25
MIXED = ("purchase-cancelled-anywhere", "sweep-against-webhook")
"""One of requests alone, and one in which something has no route."""


def test_the_page_tells_every_scenario_and_its_theory() -> None:
    for name, scenario in SCENARIOS.items():
        assert f"| `{name}` | {scenario.theory} |\n" in DOCS.read_text(encoding="utf-8")


@pytest.mark.nightly
def test_the_api_keeps_every_property(server: AnyServer) -> None:
    with staged(server, load_subject("reference", bundled("sql")), "read committed", api=in_process) as (_, _, theatre):
        for name, scenario in SCENARIOS.items():
            campaign = Campaign(theatre.trial(scenario), Mixture(1), partial(check, ids=scenario.properties), labels)
            while campaign.tally.schedules < FEW and campaign.advance():
                pass
            assert not campaign.tally.findings, name
            assert (campaign.tally.hang, campaign.tally.diverged) == (None, None), name
            # What is rare among so few schedules is left to harness verify.
            rare = {"busy", "busy:key_in_progress", "ended:refund_required", "refused:insufficient_credits"}
            assert not {*missing(scenario.happened, campaign.tally.labels)} - rare, name


def test_a_key_that_is_claimed_apart_from_the_work_is_found_and_reduced(server: AnyServer) -> None:
    scenario = SCENARIOS["api-retry-after-timeout"]
    # That store reads a table and claims by itself, which the API's own role may not.
    subject = replace(load_subject("reference", bundled("sql")), api_role=None)
    with staged(server, subject, "read committed", api=claims_early) as (_, _, theatre):
        theatre.connection.execute(
            b"GRANT EXECUTE ON FUNCTION claim_idempotency_key, complete_idempotency_key TO service_role"
        )
        judge = partial(check, ids=("key-once",))
        campaign = Campaign(theatre.trial(scenario), Exhaustive(1), judge, labels)
        while not campaign.tally.findings and campaign.advance():
            pass
        assert campaign.tally.schedules <= 30
        found = campaign.tally.findings["key-once"]
        assert "is stuck" in found.violation.why
        reduced = reduce(theatre.trial, scenario, "key-once", finding=found)
    assert reduced is not None
    assert (reduced.minimal, reduced.proved) == (True, True)
    assert len(reduced.scenario.operations) == 1
    assert reduced.finding.preemptions == 1


def test_a_grant_that_the_api_lacks_is_missed(server: AnyServer) -> None:
    """The clients' role may execute everything: it would not miss it."""
    subject = load_subject("reference", bundled("sql"))
    scenario = SCENARIOS["api-two-buyers-one-lead"]
    with staged(server, subject, "read committed", api=in_process) as (_, _, theatre):
        theatre.connection.execute(b"REVOKE EXECUTE ON FUNCTION api_purchase_leads FROM marketplace_api")
        campaign = Campaign(theatre.trial(scenario), Mixture(1), partial(check, ids=scenario.properties), labels)
        campaign.advance()
    assert campaign.tally.labels["unknown:internal_error"] == 1
    assert "ok:Buy" in missing(scenario.happened, campaign.tally.labels)


def test_what_has_no_route_is_not_asked_for_in_the_role_of_the_api(server: AnyServer) -> None:
    subject = load_subject("reference", bundled("sql"))
    cancelled, swept = (load_scenarios(bundled("scenarios"))[name] for name in MIXED)
    with staged(server, subject, "read committed", api=in_process) as (_, _, theatre):
        assert (theatre.role_of(cancelled), theatre.role_of(swept)) == ("marketplace_api", None)
    with staged(server, subject, "read committed") as (_, _, theatre):
        assert theatre.role_of(cancelled) is None


@pytest.fixture
def violated(server: AnyServer, tmp_path: Path) -> Path:
    """The schedule file of a run through the API."""
    arguments = ["explore", "same-key-of-two-workspaces", "--subject", "planted:key-of-everybody"]
    ended = harness(*arguments, "--through", "api", "--max", "3", "--dsn", server.dsn(), cwd=tmp_path)
    assert ended.code == 1, ended.out + ended.err
    assert "--through api" in ended.out
    file, *_ = (tmp_path / "reports" / "schedules").glob("*.json")
    return file


def test_a_run_through_the_api_is_replayed_through_the_api(server: AnyServer, violated: Path) -> None:
    assert json.loads(violated.read_text())["through"] == "api"
    ended = harness("replay", violated, "--dsn", server.dsn(), cwd=violated.parent)
    assert ended.code == 1, ended.out + ended.err
    assert "The same " in ended.out
    assert "api_purchase_leads" in ended.out
