"""``harness verify --through api``, as a process: it can end well, and every property has a scenario that it needs."""

from __future__ import annotations

from pathlib import Path

from harness.db.any_server import AnyServer
from harness.doors.asking import scenarios_of
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.verify.run import playable
from tests.verify.conftest import verify

FEW = (
    "contract-stripe-replay",
    "purchase-cancelled-anywhere",
    "api-top-up-against-purchase",
    "validation-against-purchase",
)
"""These have every property that is judged through the API."""


def test_every_property_that_requests_have_is_exercised_and_holds(server: AnyServer, tmp_path: Path) -> None:
    able, _ = playable(load_subject("reference", bundled("sql")), scenarios_of(None, None, "api"), by_requests=True)
    chosen = [word for name in FEW for word in ("--scenario", name)]
    run = verify(tmp_path, *chosen, "--through", "api", "--max-schedules", "60", "--dsn", server.dsn())
    assert run.ended.code == 0, run.ended.out + run.ended.err
    verdicts = {each["id"]: each["verdict"] for each in run.document["properties"]}
    assert verdicts == {id_: "holds" for scenario in able for id_ in scenario.properties}
