"""A double sale and a deadlock to export: found once for all the tests of a worker, and written to files."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.db.any_server import AnyServer
from harness.doors.asking import scenarios_of, subject_of
from harness.export.rehearsal import rehearse
from harness.export.script import Script
from harness.verify.alone import explore
from harness.words.recording import Recording

DOUBLE_SALE = ("two-buyers-one-lead", "sold-once", "exhaustive")
DEADLOCK = ("one-purchase-by-stripe-and-by-credits", "no-deadlock", "exhaustive")


def record(server: AnyServer, scenario_name: str, property_id: str, strategy: str) -> Recording:
    """The smallest counterexample to a property on ``published``."""
    (scenario,) = scenarios_of([scenario_name], None)
    reports, _, _ = explore(
        server,
        subject_of("published"),
        scenario,
        strategy,
        most=60,
        preemptions=1,
        seed=0,
        isolation="read committed",
        tick=lambda *_: None,
    )
    return reports.scenarios[0].counterexamples[property_id].recording


def script_of(server: AnyServer, recording: Recording) -> Script:
    """The recording as a script."""
    (scenario,) = scenarios_of([recording.scenario], None)
    return rehearse(server, subject_of(recording.subject), scenario, recording)


@pytest.fixture(scope="session")
def double_sale(server: AnyServer) -> Recording:
    return record(server, *DOUBLE_SALE)


@pytest.fixture(scope="session")
def double_sale_script(server: AnyServer, double_sale: Recording) -> Script:
    return script_of(server, double_sale)


@pytest.fixture(scope="session")
def deadlock_script(server: AnyServer) -> Script:
    return script_of(server, record(server, *DEADLOCK))


@pytest.fixture(scope="session")
def double_sale_file(double_sale: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schedules") / "double-sale.json"
    path.write_text(double_sale.to_json())
    return path
