"""A counterexample run once more, on a real server: what was committed when, which rows were waited for, and why."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness.db.any_server import AnyServer
from harness.db.session import ClientSession
from harness.engine.campaign import Finding, fingerprint
from harness.explore.sparse import Sparse
from harness.marketplace.operations import Buy
from harness.marketplace.properties import check
from harness.marketplace.scenario import Scenario, load_scenarios
from harness.marketplace.start import LeadStart, Start
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.verify.alone import staged
from harness.verify.counterexample import record
from harness.verify.exhibit import exhibit
from harness.words.schedule import Switch
from tests.verify import stall

pytestmark = pytest.mark.usefixtures("unpinned")


def test_what_is_seen_of_a_double_sale_and_of_a_deadlock(server: AnyServer) -> None:
    subject = load_subject("published", bundled("sql"))
    known = load_scenarios(bundled("scenarios"))
    with staged(server, subject, "read committed") as (order, plan, theatre):

        def shown(name: str, property_id: str, *switches: Switch) -> tuple[dict[str, Any], dict[str, Any]]:
            trial = theatre.trial(known[name])
            run, history = trial.run(Sparse(switches))
            (violation,) = [each for each in check(history, known[name].properties) if each.property == property_id][:1]
            finding = Finding(violation, run, history, len(switches), 1)
            story, explained = exhibit(subject, plan, trial, record(order, known[name], finding, True), finding)
            other = Finding(violation, run, trial.run(Sparse(()))[1], len(switches), 1)
            if fingerprint(other.history) != fingerprint(history):
                missed, without = exhibit(subject, plan, trial, record(order, known[name], other, True), finding)
                assert missed["not_shown"] == "the answers or the final state were others"
                assert not any({"commits", "reads", "saw"} & step.keys() for step in missed["steps"])
                assert "because" not in without
            return story, explained

        story, explained = shown("two-buyers-one-lead", "sold-once", Switch(2, 1))
        steps = story["steps"]
        sales = [
            (step["session"], commit["before"], commit["after"])
            for step in steps
            for commit in step.get("commits", ())
            if commit["name"] == "lead L1"
        ]
        assert sales == [("bob", "available", "sold"), ("alice", "sold", "sold, sold_count 2")]
        assert [(step["session"], step["saw"]) for step in steps[:2] if "saw" in step] == [
            ("alice", [{"name": "FOUND", "value": "true"}, {"name": "v_locked", "value": "1"}]),
            ("alice", [{"name": "total", "value": "10.00"}, {"name": "prices", "value": "[10.00]"}]),
        ]
        assert not [item for item in plan.rewritten if "harness.saw" in item.instrumented]
        installed = theatre.connection.execute("SELECT count(*) FROM pg_proc WHERE prosrc LIKE '%harness.saw(%'")
        assert installed.fetchone() == (0,)
        assert [step["reads"] for step in steps if "reads" in step] == [
            step["step"] - 1 for step in steps if "reads" in step
        ]
        assert explained["because"]["sentence"].startswith(
            "alice read lead L1 at step 0, when it was available; bob made it sold"
        )
        assert len(explained["serial_orders"]) == 2
        assert all("lead_unavailable" in each["differs"] for each in explained["serial_orders"])
        for step in steps:
            function, _, line = step["where"].rpartition(":")
            if function and step["statement"]:
                source = story["sources"][function]
                first = step["statement"].split()[0]
                assert source["lines"][int(line) - 1].split()[0] == first
                written = (bundled("sql").parent / source["file"]).read_text().split("\n")
                assert written[source["file_line"] - 1].endswith("$$")
                assert written[source["file_line"] + int(line) - 2].split()[0] == first

        story, explained = shown("one-purchase-by-stripe-and-by-credits", "no-deadlock", Switch(3, 1))
        events = [event for step in story["steps"] for event in step["events"]]
        waits = [(event["session"], event["row"]["name"]) for event in events if event["kind"] == "wait"]
        assert waits == [("credits", "purchase p"), ("stripe", "lead L1")]
        (closed,) = [event for event in events if event["kind"] == "deadlock"]
        assert [(each["session"], each["row"]["name"]) for each in closed["cycle"]] == waits[::-1]
        assert "which credits had locked: none of them could go on" in explained["because"]["sentence"]


CALL = 'buy = ["SELECT * FROM buy(%(purchase)s, %(workspace)s, (%(leads)s::bigint[])[1])"]'
READ_THEN_WRITE = """buy = [
  "SELECT id, price FROM contact WHERE id = ANY (%(leads)s::bigint[])",
  "SELECT id AS who, credits, pg_current_xact_id()::text AS receipt FROM customer WHERE id = %(workspace)s",
  '''
  WITH made AS (INSERT INTO sale VALUES (%(purchase)s, %(workspace)s, 'paid') RETURNING id),
    item AS (INSERT INTO sale_contact SELECT made.id, %(id)s, %(price)s FROM made),
    sold AS (UPDATE contact SET times_sold = times_sold + 1 WHERE id = %(id)s)
  UPDATE customer SET credits = %(credits)s::numeric - %(price)s WHERE id = %(workspace)s RETURNING credits AS balance
  ''',
]"""
"""The client itself calculates the new balance of one that it has read."""


def test_what_a_client_reads_and_writes_on(server: AnyServer, tmp_path: Path) -> None:
    subject = stall.subject(stall.spoilt(tmp_path, {CALL: READ_THEN_WRITE}, "subject.toml"))
    scenario = Scenario(
        "two-at-once",
        "One workspace buys two leads.",
        Start({"A": Decimal(50)}, {"L1": LeadStart(Decimal(10)), "L2": LeadStart(Decimal(20))}),
        {"alice": [Buy("A", ("L1",), "p")], "bob": [Buy("A", ("L2",), "q")]},
        ("serializable",),
        ("overlap",),
    )
    with staged(server, subject, "read committed") as (order, plan, theatre):
        trial = theatre.trial(scenario)
        switches = (Switch(2, 1),)
        run, history = trial.run(Sparse(switches))
        (violation,) = check(history, scenario.properties)
        finding = Finding(violation, run, history, len(switches), 1)
        recording = record(order, scenario, finding, True)
        exhibited = [exhibit(subject, plan, trial, recording, finding) for _ in range(2)]
        clients = [each for each in trial.player.stage.actors if isinstance(each, ClientSession)]
        assert [each.connection.came_back for each in clients] == [None, None]
    assert exhibited[0] == exhibited[1]
    story, explained = exhibited[0]
    assert [
        (step["session"], *[(each["name"], each["value"]) for each in step.get("saw", ())]) for step in story["steps"]
    ] == [
        ("alice", ("id", "lead L1"), ("price", "10")),
        ("alice", ("who", "workspace A"), ("credits", "50"), ("receipt", "another in each run")),
        ("bob", ("id", "lead L2"), ("price", "20")),
        ("bob", ("who", "workspace A"), ("credits", "50"), ("receipt", "another in each run")),
        ("bob",),
        ("alice",),
    ]
    assert [event["detail"] for step in story["steps"] for event in step["events"]] == [
        "ok (balance=30)",
        "ok (balance=40)",
    ]
    assert explained["because"] == {
        "sentence": "alice read balance A at step 1, when it was 50; bob made it 30 at step 4; "
        "and alice, without another look, made it 40 at step 5",
        "steps": [1, 4, 5],
    }
