"""A counterexample run once more, on a real server: what was committed when, which rows were waited for, and why."""

from __future__ import annotations

from typing import Any

import pytest

from harness.db.any_server import AnyServer
from harness.engine.campaign import Finding, fingerprint
from harness.explore.sparse import Sparse
from harness.marketplace.properties import check
from harness.marketplace.scenario import load_scenarios
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.verify.alone import staged
from harness.verify.counterexample import record
from harness.verify.exhibit import exhibit
from harness.words.schedule import Switch

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
