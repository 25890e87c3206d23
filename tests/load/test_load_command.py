"""``harness load`` as its users run it: what holds, what breaks, what strikes it, and that nothing is left behind."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.db.provision import provision
from harness.load.sample import SampleFile
from tests.report.schemas import validator
from tests.verify.command import IN_BACKGROUND, ROOT, gone, harness, running

SCHEMA = validator("load")


def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    SCHEMA.validate(found)
    return found


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {each["id"]: each["verdict"] for each in found["properties"]}


def test_functions_keep_their_promises_through_kills_and_a_crash(tmp_path: Path) -> None:
    ended = harness(
        *("load", "sql_functions", "--users", "6", "--duration", "4s", "--rate", "40"),
        *("--kill-backends", "1", "--crash", "1", "--json", "load.json", "--junit", "load.xml"),
        cwd=tmp_path,
    )
    assert ended.code == 0, ended.out + ended.err
    assert ended.out.startswith("HOLDS: reference keeps ")
    found = document(tmp_path / "load.json")
    assert found["disturbances"]["crashes"] == 1
    assert found["disturbances"]["errors"] > 0
    assert verdicts(found)["errors-explained"] == "holds"
    unknown = found["unknown"]
    assert unknown["asked_again"] == unknown["attempts"] - unknown["cut_off"] > 0
    assert found["history"]["counts"]["operations"] == found["requests"]
    operations = {each["name"]: each for each in found["operations"]}
    assert operations.keys() == {"buy", "checkout", "deliver", "read"}
    # A crash keeps arrivals waiting, and only the open model shows all of it.
    assert operations["buy"]["open_ms"]["p99"] > operations["buy"]["closed_ms"]["p50"] > 0
    suite = ElementTree.parse(tmp_path / "load.xml").getroot().find("testsuite")
    assert suite is not None
    assert suite.get("failures") == suite.get("errors") == "0"


@pytest.mark.nightly
def test_a_race_in_two_processes_has_one_winner_each_time(tmp_path: Path) -> None:
    ended = harness(
        *("load", "hot_lead", "--users", "8", "--processes", "2", "--master-port", "15559"),
        *("--duration", "3s", "--json", "load.json"),
        cwd=tmp_path,
    )
    assert ended.code == 0, ended.out + ended.err
    found = document(tmp_path / "load.json")
    assert verdicts(found)["one-winner"] == "holds"
    assert found["race"]["one_winner"] > 1
    assert found["race"]["buyers"] == 4
    assert found["load"]["processes"] == 2
    checked = {each["id"]: each["checked"] for each in found["properties"]}
    # One sale, one charge, and three that came too late.
    assert 0 < checked["sold-once"] == checked["charged-once"] == checked["conservation"] < checked["no-false-conflict"]


def test_a_planted_fault_is_found_and_exits_1(tmp_path: Path) -> None:
    ended = harness(
        *("load", "sql_functions", "--users", "4", "--duration", "3s", "--rate", "60", "--json", "load.json"),
        *("--subject", "planted:errors-swallowed", "--samples", "kept"),
        cwd=tmp_path,
    )
    assert ended.code == 1, ended.out + ended.err
    assert verdicts(document(tmp_path / "load.json"))["serializable"] == "violated"
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {
        *("journal.jsonl", "locust.log", "samples", "stock.json")
    }
    again = harness("load", "sql_functions", "--samples", "kept", cwd=tmp_path)
    assert again.code == 2
    assert "[folder-not-empty]" in again.complaint


@pytest.mark.nightly
def test_the_routes_of_before_sell_a_lead_more_than_once(tmp_path: Path) -> None:
    ended = harness(
        *("load", "hot-lead", "--subject", "before", "--users", "8", "--duration", "2s", "--json", "load.json"),
        cwd=tmp_path,
    )
    assert ended.code == 1, ended.out + ended.err
    found = document(tmp_path / "load.json")
    assert verdicts(found)["sold-once"] == "violated"
    assert found["race"]["one_winner"] < found["race"]["rounds"]
    assert "the seed" in ended.out


def test_a_storm_over_http_on_a_server_that_is_there_is_one_payment_each(tmp_path: Path) -> None:
    # Of its own, that nobody else makes databases on.
    with provision("embedded") as theirs:
        before = left_on(theirs)
        ended = harness(
            *("load", "webhook_storm", "--users", "4", "--duration", "3s", "--rate", "20", "--json", "load.json"),
            *("--kill-backends", "1", "--dsn", theirs.dsn()),
            cwd=tmp_path,
        )
        assert left_on(theirs) == before
    assert ended.code == 0, ended.out + ended.err
    found = document(tmp_path / "load.json")
    assert verdicts(found)["webhook-idempotent"] == "holds"
    (delivered,) = found["operations"]
    assert delivered["requests"] > found["history"]["counts"]["commits"]


def test_a_subject_without_the_api_is_told(tmp_path: Path) -> None:
    ended = harness("load", "sql_functions", "--subject", "published", "--duration", "2s", cwd=tmp_path)
    assert ended.code == 2
    assert "[no-api]" in ended.complaint


def test_ctrl_c_ends_with_a_report_of_what_there_is(tmp_path: Path) -> None:
    with running(
        *("load", "sql_functions", "--rate", "20", "--duration", "100s", "--json", "load.json", "--samples", "kept"),
        cwd=tmp_path,
    ) as command:
        await_samples(tmp_path / "kept" / "samples")
        family = command.family()
        command.interrupt()
        ended = command.end()
    assert ended.code == 130, ended.out + ended.err
    found = document(tmp_path / "load.json")
    assert found["interrupted"]
    assert found["requests"] > 0
    assert found["load"]["lost_processes"] == 0
    assert gone(family)


def test_plain_locust_with_a_master_and_two_workers(tmp_path: Path) -> None:
    """What the page says: a market ready in the background, Locust as anybody starts it, and SIGINT judges it."""
    options = ("--stock", "run/stock.json", "--samples", "run/samples")
    file = ROOT / "locustfiles" / "sql_functions.py"
    prepare = ("load", "sql_functions", "--prepare", "run", "--json", "load.json")
    with running(*prepare, cwd=tmp_path, before=IN_BACKGROUND) as prepared:
        deadline = time.monotonic() + 60
        while not (tmp_path / "run" / "samples").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        at = ("--master-port", "15557")
        with (
            running("-f", str(file), "--worker", *at, *options, cwd=tmp_path, module="locust") as one,
            running("-f", str(file), "--worker", *at, *options, cwd=tmp_path, module="locust") as other,
        ):
            master = harness(
                *("-f", str(file), "--headless", "--master", "--expect-workers", "2", "--master-bind-port", "15557"),
                *("-u", "4", "-r", "100", "-t", "3s", "--rate", "40", "--stop-timeout", "10", "--only-summary"),
                *options,
                cwd=tmp_path,
                module="locust",
            )
            assert master.code == 0, master.err
            assert one.end().code == other.end().code == 0
        prepared.interrupt()
        ended = prepared.end()
    assert ended.code == 0, ended.out + ended.err
    samples = sorted((tmp_path / "run" / "samples").glob("*.jsonl"))
    assert len(samples) == 2
    # Every worker has a share of the arrivals, and leads of its own.
    one_leads, other_leads = ({lead for each in SampleFile(path) for lead in each.leads or ()} for path in samples)
    assert one_leads.isdisjoint(other_leads)
    counts = [path.read_text(encoding="utf-8").count("\n") for path in samples]
    assert min(counts) > max(counts) / 3
    assert document(tmp_path / "load.json")["requests"] == sum(counts) - 2


def left_on(server: AnyServer) -> set[str]:
    """Databases and replication slots."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database UNION ALL SELECT slot_name FROM pg_replication_slots"
        )
        return {str(name) for (name,) in rows}


def await_samples(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in folder.glob("*.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
