"""Real comparisons, small: a version against itself, and each of the plants of the benchmark with its cause."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from benchmarks.compare import INDEX, LOCK, planted, with_statement
from harness.compare.run import API, FUNCTIONS, Options, compare
from harness.compare.version import Version
from harness.db.any_server import AnyServer
from harness.marketplace.subject import Subject, load_subject
from harness.report.compare import markdown_compare, render_compare
from harness.resources import bundled
from harness.words.errors import UsageError
from tests.report.schemas import altered

SCHEMA = Draft202012Validator(json.loads(files("harness.report").joinpath("compare.schema.json").read_text("utf-8")))
REFERENCE = load_subject("reference", bundled("sql"))


def compared(
    server: AnyServer,
    candidate: Subject,
    *operations: str,
    budget_s: float = 60,
    rounds: int = 60,
    profile: str = FUNCTIONS,
) -> dict[str, Any]:
    options = Options(
        Version("reference", REFERENCE),
        Version("candidate", candidate),
        budget_s,
        operations=operations,
        leads=100,
        rounds=rounds,
        profile=profile,
    )
    document: dict[str, Any] = json.loads(json.dumps(compare(server, options, lambda *_: None)))
    SCHEMA.validate(document)
    return document


def test_a_version_against_itself(server: AnyServer) -> None:
    document = compared(server, REFERENCE, "read", budget_s=12)
    (entry,) = document["functions"]
    # On a busy machine it can be that nothing is told, but never that it is slower.
    assert document["verdict"] in ("no_slowdown", "cannot_tell")
    assert entry["functions"] == ["api_read_purchase"]
    assert entry["rounds"] >= 1
    found = {each["id"]: each for each in entry["figures"]}
    assert found["buffers"]["base"] == found["buffers"]["candidate"] > 5
    assert found["wal"]["base"] == 0
    assert entry["lock_waits"] == {"base": 0, "candidate": 0, "control": 0, "reason": None}
    assert document["against_itself"]["measured"] >= 3
    assert "A/A: the base against itself differs by at most" in " ".join(render_compare(document).split())
    with_another_code = altered(document, ("exit_code",), 4)
    assert not SCHEMA.is_valid(with_another_code)


@pytest.mark.parametrize(
    ("sql", "kind", "words"),
    [
        (with_statement(LOCK), "lock", "complete_credit_lead_purchase line 41 is new and locks rows (FOR UPDATE)"),
        (
            INDEX,
            "index",
            "the index lead_reservations_lead on lead_reservations is gone: why_unsaleable line 3 now has",
        ),
    ],
    ids=["lock", "index"],
)
def test_a_plant_is_found_with_its_cause(server: AnyServer, sql: str, kind: str, words: str) -> None:
    with planted(sql) as subject:
        document = compared(server, subject, "complete_credit")
    assert (document["verdict"], document["exit_code"]) == ("slower", 4)
    (entry,) = document["functions"]
    assert entry["cause"][0]["kind"] == kind
    assert entry["cause"][0]["text"].startswith(words)
    # Of four that complete one purchase, three wait. The looks at them are samples, and may miss those of one side.
    assert max(entry["lock_waits"][side] for side in ("base", "candidate", "control")) > 0
    assert words.split(" is ")[0] in " ".join(render_compare(document).split())
    assert "**SLOWER**" in markdown_compare(document)


def test_what_is_refused_is_not_measured(server: AnyServer) -> None:
    refusing = "CREATE OR REPLACE FUNCTION shown_purchase(p_purchase_id uuid, p_workspace_id uuid) RETURNS jsonb\n"
    refusing += "LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'closed'; END $$;"
    with planted(refusing) as subject:
        document = compared(server, subject, "read")
    assert (document["verdict"], document["exit_code"]) == ("not_exercised", 5)
    assert document["functions"][0]["reason"] == "candidate refuses: closed"


def test_requests_to_the_api_are_compared(server: AnyServer) -> None:
    more = "  UPDATE workspaces SET name = name WHERE id = p_workspace_id;\n"
    with planted(with_statement(3 * more)) as subject:
        document = compared(server, subject, "request", rounds=40, profile=API)
    assert (document["verdict"], document["exit_code"]) == ("slower", 4)
    (entry,) = document["functions"]
    assert entry["functions"] == ["POST /api/marketplace/purchase"]
    assert entry["cause"][0]["text"].startswith("complete_credit_lead_purchase line 41 is new")
    found = {each["id"]: each for each in entry["figures"]}
    assert found["wal"]["verdict"] == "slower"
    if document["server"]["local"]:
        assert found["api_cpu"]["base"] > 0 < found["cpu"]["base"]
    assert document["against_itself"]["measured"] >= 3
    assert "profile functions" in entry["lock_waits"]["reason"]
    text = " ".join(render_compare(document).split())
    assert text.startswith("SLOWER: request (")
    assert "POST /api/marketplace/purchase" in text
    assert "--profile api" in markdown_compare(document)


def test_a_request_that_the_api_has_not_is_refused(server: AnyServer) -> None:
    with pytest.raises(UsageError) as refused:
        compared(server, REFERENCE, "sweep", profile=API)
    assert refused.value.slug == "no-call"
    with pytest.raises(UsageError) as without:
        compared(server, load_subject("published", bundled("sql")), profile=API)
    assert without.value.slug == "no-api"
