"""The run document of a load run: what its schema refuses, what the page explains, how it reads, and its exit codes."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator, ValidationError

from harness.load.disturbance import Disturbance
from harness.load.document import load_document
from harness.load.figures import Round, Step, figures_of, latency
from harness.load.finding import Finding, HistoryVerdict, Judgement, Shown
from harness.load.growth import Growth
from harness.load.look import Look
from harness.load.nemesis import Strikes
from harness.load.plan import Plan, find_scenario
from harness.load.properties import Judged
from harness.load.sample import Sample
from harness.marketplace.subject import load_subject
from harness.report.load import render_load
from harness.report.load_junit import load_junit
from harness.resources import bundled
from harness.words.history import Status
from harness.words.verdict import Verdict
from tests.report.schemas import altered, fields_of, schema, stamped, validator

PAGE = (Path(__file__).parents[2] / "docs" / "load.md").read_text(encoding="utf-8")
SCHEMA = schema("load")
VALIDATOR = validator("load")

PLAN = Plan(
    find_scenario("hot_lead", bundled("locustfiles")),
    load_subject("reference", bundled("sql")),
    users=100,
    seconds=30,
    rate=50,
    strikes=Strikes(1, 1),
)
COUNTS = {
    **{"operations": 4, "commits": 2, "ok": 2, "unknown_committed": 1, "unknown_rolled_back": 0},
    **{"leads_sold": 2, "charges": 2, "entries": 2, "endings": 2},
}
HELD = HistoryVerdict(Judgement.HOLDS, {}, (), (), 0, 0, COUNTS)
SAMPLES = (
    Sample("c0", "buy", 1.0, 1.01, 1.05, Status.OK, key="a"),
    Sample("c1", "buy", 1.0, 1.02, 1.08, Status.REFUSED, "lead_sold", 409, key="b"),
    Sample("c2", "buy", 1.5, 1.5, 1.9, Status.UNKNOWN, "try_again", 503, key="c"),
    Sample("c2", "buy", 2.0, 2.0, 2.1, Status.OK, key="c"),
)
DOWN = Disturbance("crash", 1.4, 1.8, 0.21)
KILL = Disturbance("kill", 1.2, 1.3)
LOOKS = (
    Look(1.5, 8, 40, 1_000, 500, {"running": 3, "Lock: transactionid": 2}, {"transactionid ShareLock": 2}),
    Look(2.0, None, None, None, 500),
    Look(9.0, 8, 40, 1_000, 500, {}, {}),
)
RACES = (Round(100, 1, 0.05), Round(100, 1, 0.07))


def document(
    *,
    plan: Plan = PLAN,
    samples: tuple[Sample, ...] = SAMPLES,
    history: HistoryVerdict = HELD,
    disturbances: tuple[Disturbance, ...] = (KILL, DOWN),
    growths: tuple[Growth, ...] = (Growth("connections", 8, 8, 0.0, False), Growth("api_bytes", 9e7, 9e7, 0.001, None)),
    gap: str = "",
    rounds: tuple[Round, ...] = RACES,
    lost_processes: int = 0,
) -> dict[str, Any]:
    made = load_document(
        plan,
        server={"version": "18.6", "local": True},
        figures=figures_of(samples),
        history=history,
        check_seconds=0.5,
        disturbances=disturbances,
        growths=growths,
        looks=LOOKS,
        gap=gap,
        also=[Judged("webhooks-acknowledged", Verdict.HOLDS, 3)],
        rounds=rounds if samples else (),
        steps=[Step(2, 900.0, latency([1.0, 2.0]))],
        lost_processes=lost_processes,
        interrupted=False,
    )
    written: dict[str, Any] = json.loads(json.dumps(stamped(made)))
    return written


def violated() -> HistoryVerdict:
    finding = Finding(("sold-once", "serializable"), "lead x was sold again: sold_count 2", 1, 0)
    broken = Counter({"sold-once": 7, "serializable": 7})
    return HistoryVerdict(
        Judgement.VIOLATED, broken, (Shown(finding, SAMPLES[0], (SAMPLES[1],)),), (finding,), 7, 0, COUNTS
    )


def test_it_is_as_its_schema_says() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for each in (
        document(),
        document(plan=replace(PLAN, rate=0.0)),
        document(history=violated()),
        document(samples=()),
    ):
        VALIDATOR.validate(each)


def test_what_holds_exits_0() -> None:
    found = document()
    assert (found["verdict"], found["exit_code"]) == ("holds", 0)
    assert {each["id"]: each["verdict"] for each in found["properties"]} | {"sold-once": "holds"} == {
        each["id"]: "not_applicable" if each["id"] in ("webhook-idempotent", "paid-is-served") else "holds"
        for each in found["properties"]
    }


def test_a_broken_property_exits_1_whatever_the_speed() -> None:
    found = document(history=violated())
    assert (found["verdict"], found["exit_code"]) == ("violated", 1)
    (sold,) = [each for each in found["properties"] if each["id"] == "sold-once"]
    assert (sold["verdict"], sold["checked"], sold["why"]) == (
        "violated",
        7,
        ["lead x was sold again: sold_count 2"],
    )


def test_an_error_that_no_disturbance_explains_exits_1() -> None:
    found = document(disturbances=())
    assert found["exit_code"] == 1
    (errors,) = [each for each in found["properties"] if each["id"] == "errors-explained"]
    assert errors["why"] == ["buy: 503 try_again, at 0.49 s, and nothing was disturbed then"]


def judged(found: dict[str, Any], name: str) -> tuple[str, list[str]]:
    (property_,) = [each for each in found["properties"] if each["id"] == name]
    return property_["verdict"], property_["why"]


def test_a_500_is_explained_by_nothing() -> None:
    found = document(samples=(*SAMPLES, Sample("c3", "buy", 1.5, 1.5, 1.6, Status.UNKNOWN, "bug", 500, key="d")))
    assert found["exit_code"] == 1
    assert judged(found, "errors-explained")[0] == "violated"


def test_an_error_that_nobody_asked_again_about_exits_1() -> None:
    assert judged(document(), "errors-resolved") == ("holds", [])
    gone_on = (SAMPLES[2], SAMPLES[3]._replace(key="d"))
    found = document(samples=gone_on)
    assert judged(found, "errors-resolved") == ("violated", ["buy: 503 try_again, at 0.00 s, and never a clear answer"])
    assert found["exit_code"] == 1


@pytest.mark.parametrize(
    ("rounds", "verdict", "code"),
    [
        ((Round(100, 1, 0.1), Round(100, 0, 0.1, finished=False)), "holds", 0),
        ((Round(100, 1, 0.1), Round(100, 2, 0.1)), "violated", 1),
        ((Round(100, 2, 0.1, finished=False),), "violated", 1),
        ((Round(100, 0, 0.1),), "violated", 1),
        ((Round(100, 0, 0.1, finished=False), Round(1, 1, 0.1)), "not_exercised", 5),
        ((), "not_exercised", 5),
    ],
)
def test_every_race_has_one_winner(rounds: tuple[Round, ...], verdict: str, code: int) -> None:
    found = document(rounds=rounds)
    assert (judged(found, "one-winner")[0], found["exit_code"]) == (verdict, code)


def test_each_property_counts_what_puts_it_to_the_test() -> None:
    deliveries = tuple(Sample(f"g{each}", "deliver", 3, 3, 3.1, Status.OK, event="e") for each in range(5))
    poor = Sample("c7", "buy", 3, 3, 3.1, Status.REFUSED, "insufficient_credits", 402, key="p")
    history = replace(HELD, counts={**COUNTS, "entries": 9, "charges": 7, "leads_sold": 11, "webhooks": 2})
    found = document(samples=(*SAMPLES, *deliveries, poor), history=history)
    assert {each["id"]: each["checked"] for each in found["properties"][:11]} == {
        "sold-once": 11,
        "no-overdraft": 8,
        "conservation": 9,
        "charged-once": 7,
        "all-or-nothing": 2,
        "terminal-states": 2,
        "no-lost-acknowledgement": 2,
        "no-false-conflict": 2,
        "serializable": 9,
        "webhook-idempotent": 3,
        "paid-is-served": 2,
    }


def test_what_a_scenario_is_not_there_for_may_be_left_out() -> None:
    nothing_sold = document(history=replace(HELD, counts={**COUNTS, "leads_sold": 0}))
    assert (judged(nothing_sold, "sold-once")[0], nothing_sold["exit_code"]) == ("not_exercised", 5)
    assert ElementTree.fromstring(load_junit(nothing_sold)).get("errors") != "0"
    nothing_charged = document(history=replace(HELD, counts={**COUNTS, "charges": 0}))
    assert (judged(nothing_charged, "charged-once")[0], nothing_charged["exit_code"]) == ("not_exercised", 0)


def test_what_was_to_be_struck_and_was_not_exits_5() -> None:
    found = document(disturbances=(DOWN,))
    assert (judged(found, "struck"), found["exit_code"]) == (("not_exercised", ["no backend was terminated"]), 5)
    assert "did not put to the test: struck" in render_load(found, width=200, ascii_only=True).splitlines()[0]
    # The error that it explained is explained by nothing now, which is graver.
    assert document(disturbances=(KILL,), samples=SAMPLES[:2])["exit_code"] == 5
    quiet = document(plan=replace(PLAN, strikes=Strikes()), disturbances=(), samples=SAMPLES[:2])
    assert (judged(quiet, "struck")[0], quiet["exit_code"]) == ("not_applicable", 0)


def test_a_lost_process_exits_6() -> None:
    found = document(lost_processes=1)
    assert (found["verdict"], found["exit_code"]) == ("inconclusive", 6)
    assert "1 process lost" in render_load(found, width=200, ascii_only=True).splitlines()[0]
    assert document(lost_processes=1, history=violated())["exit_code"] == 1


def test_a_soak_that_was_not_looked_at_to_its_end_exits_5() -> None:
    soak = replace(PLAN, scenario=find_scenario("soak", bundled("locustfiles")))
    gap = "nothing was looked at in the last 201 s of 300 s"
    found = document(plan=soak, growths=(), gap=gap)
    assert (judged(found, "no-growth"), found["exit_code"]) == (("not_exercised", [gap]), 5)
    assert document(plan=soak)["exit_code"] == 5
    delivered = Sample("g", "deliver", 3, 3, 3.1, Status.OK, event="e")
    repeated = replace(HELD, counts={**COUNTS, "webhooks": 1})
    samples = (*SAMPLES, delivered, delivered._replace(client="h"))
    assert document(plan=soak, samples=samples, history=repeated)["exit_code"] == 0


def test_growth_exits_1() -> None:
    assert document(growths=(Growth("locks", 40, 400, 0.3, True),))["exit_code"] == 1


def test_a_run_that_was_not_looked_at_to_its_end_does_not_say_that_nothing_grows() -> None:
    for growth in ((), (Growth("connections", 8, 8, 0.0, False),)):
        found = document(growths=growth, gap="nothing was looked at in the last 201 s of 300 s")
        (judged,) = [each for each in found["properties"] if each["id"] == "no-growth"]
        assert (judged["verdict"], judged["why"]) == (
            "not_exercised",
            ["nothing was looked at in the last 201 s of 300 s"],
        )
    assert document(growths=(Growth("locks", 40, 400, 0.3, True),), gap="none")["exit_code"] == 1


def test_doubt_exits_6_and_nothing_done_5() -> None:
    doubtful = replace(HELD, judgement=Judgement.INCONCLUSIVE, findings=1, doubtful=1)
    assert document(history=doubtful)["exit_code"] == 6
    assert document(samples=())["exit_code"] == 5
    refused = tuple(each for each in SAMPLES if each.status == Status.REFUSED)
    assert document(samples=refused)["exit_code"] == 5


OFFENCES: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "another version": (("version",), 1),
    "a look at nothing": (("looks", "rows"), [{"at": 1.0}]),
    "a comparison that is no word": (("published", 0, "compares"), "perhaps"),
    "a verdict with another's exit code": (("exit_code",), 1),
    "what holds and has a broken property": (("properties", 0, "verdict"), "violated"),
    "a status that there is not": (("operations", 0, "statuses"), {"lost": 1}),
    "a negative latency": (("operations", 0, "closed_ms", "p50"), -1),
    "a field that nobody knows": (("server", "dsn"), "host=secret"),
    "a word that is no SQLSTATE": (("sqlstates",), {"lead_sold": 1}),
}


@pytest.mark.parametrize("offence", OFFENCES)
def test_what_must_not_be_written_is_refused(offence: str) -> None:
    path, value = OFFENCES[offence]
    with pytest.raises(ValidationError):
        VALIDATOR.validate(altered(document(), path, value))


def test_the_page_explains_every_field_and_no_other() -> None:
    explained = set(
        re.findall(r"^\| ((?:`[a-z0-9_]+`(?:, )?)+) \|", PAGE.partition("## The run document")[2], re.MULTILINE)
    )
    names = {name for cell in explained for name in re.findall(r"`([a-z0-9_]+)`", cell)}
    assert names == set(fields_of(SCHEMA))


def test_it_reads() -> None:
    text = render_load(document(), ascii_only=True)
    assert text.splitlines()[0] == text.splitlines()[-1]
    assert text.startswith("HOLDS: reference keeps 15 properties through 4 requests of hot_lead")
    for part in (
        "open model, 50/s poisson",
        "2 of 2 rounds",
        "a round took 0.060 s (the longest 0.070 s)",
        "race of 100 buyers for one lead 2.34 s 0.06 s in part",
        "transaction latency, average 45.0 ms 150 ms no",
        "purchases answered with a conflict (409) up to 5 %, alert above 20 % 25 %, ALERT no",
        "refused: lead_sold 1",
        "unknown outcomes: 1 (0 cut off when the time was over)",
        "1 crash of the server (up again within 0.21 s); 1 request had a 5xx or no answer",
        "too short to say",
    ):
        assert part in " ".join(text.split()), part


def test_a_violation_reads_first() -> None:
    text = render_load(document(history=violated()), ascii_only=True)
    assert text.startswith("VIOLATED: reference breaks sold-once, serializable under hot_lead")
    assert "lead x was sold again: sold_count 2" in text


def test_junit_is_green_exactly_when_the_command_ends_with_0() -> None:
    for found in (document(), document(history=violated()), document(samples=()), {**document(), "interrupted": True}):
        suite = ElementTree.fromstring(load_junit(found)).find("testsuite")
        assert suite is not None
        green = suite.get("failures") == suite.get("errors") == "0"
        assert green == (found["exit_code"] == 0 and not found["interrupted"])
