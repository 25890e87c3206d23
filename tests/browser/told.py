"""Documents whose runs are told with all that a story can hold, and one full of texts that are no markup."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.report.documents import document

SQL = Path(__file__).parents[2] / "sql" / "published" / "migrations" / "20260205000001_fix_payment_race_conditions.sql"
ROW = {"table": "marketplace_purchases", "name": "purchase p", "key": "id = 3f0c", "mode": "FOR UPDATE"}
CREDITS = {"table": "workspace_credits", "name": "balance A", "key": "workspace_id = 91ab", "mode": "UPDATE"}
HOSTILE = '</script><img src=x onerror="throw 1"> \'&amp; \u202egnp.exe \U0001f4b8 %(p)s {{ 7 * 7 }}'
"""Markup, a change of the direction of writing, an astral character, and the notation of two templates."""


def two_buyers() -> dict[str, Any]:
    """One lead is sold twice: what everybody saw and committed, why, and which orders would have been fine."""
    found = document("violated_two")
    for each in _counterexamples(found):
        _bring_sources(each["story"])
        steps = each["story"]["steps"]
        steps[0]["reads"] = steps[1]["reads"] = -1
        steps[3]["saw"] = [{"name": "v_balance", "value": "50.00"}]
        steps[8]["commits"] = [
            {"name": "balance B", "before": "50", "after": "40.00"},
            {"name": "lead L1", "before": "available", "after": "sold"},
            {"name": "purchase q", "before": "-", "after": "completed"},
        ]
        steps[9]["reads"] = 8
        steps[10]["saw"] = [{"name": "v_balance", "value": "50.00"}]
        steps[15]["commits"] = [
            {"name": "balance A", "before": "50", "after": "40.00"},
            {"name": "lead L1", "before": "sold", "after": "sold, sold_count 2"},
            {"name": "purchase p", "before": "-", "after": "completed"},
        ]
        each["because"] = {
            "sentence": "bob sold lead L1 at step 6, and alice sold it again at step 13 on what she checked at step 0",
            "steps": [0, 6, 13],
        }
        each["serial_orders"] = [
            {
                "order": ["alice: Buy A L1 p", "bob: Buy B L1 q"],
                "ends": "alice ok, bob refused lead_unavailable; lead L1 sold, balance A 40",
                "differs": "bob is told ok, not refused lead_unavailable",
            },
            {
                "order": ["bob: Buy B L1 q", "alice: Buy A L1 p"],
                "ends": "bob ok, alice refused lead_unavailable; lead L1 sold, balance B 40",
                "differs": "alice is told ok, not refused lead_unavailable",
            },
        ]
    found["run"] = {
        "id": "20261126-104512-verify-mine",
        "began": "2026-11-26T10:45:12Z",
        "command": "harness verify --subject sql/mine",
        "harness": "0.1.0",
    }
    return found


def three_sessions() -> dict[str, Any]:
    """A deadlock of two clients, and a third one that strikes."""
    found = document("violated_three")
    for each in _counterexamples(found):
        _bring_sources(each["story"])
        steps = each["story"]["steps"]
        steps[4]["events"][0]["row"] = ROW
        steps[5]["events"][0]["row"] = CREDITS
        steps[5]["events"][1]["cycle"] = [
            {"session": "stripe", "waits_for": "credits", "row": CREDITS},
            {"session": "credits", "waits_for": "stripe", "row": ROW},
        ]
    return found


def hostile(found: dict[str, Any]) -> dict[str, Any]:
    """A copy in which every text that somebody else may have written ends with what a page must not believe."""

    def spoilt(part: Any, key: str = "") -> Any:
        if isinstance(part, dict):
            return {name: spoilt(value, name) for name, value in part.items()}
        if isinstance(part, list):
            return [spoilt(value, key) for value in part]
        texts = {"why", "statement", "sent", "detail", "name", "value", "sentence", "ends", "differs", "lines", "file"}
        return f"{part}{HOSTILE}" if isinstance(part, str) and key in texts else part

    spoiled: dict[str, Any] = spoilt(found)
    return spoiled


def _counterexamples(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [each["counterexample"] for each in found["properties"] if each["counterexample"]]


def _bring_sources(story: dict[str, Any]) -> None:
    """The bodies of the functions that the steps are in, read from the migration."""
    lines = SQL.read_text(encoding="utf-8").splitlines()
    story["sources"] = {}
    for where in dict.fromkeys(step["where"].rpartition(":")[0] for step in story["steps"]):
        if where:
            name = re.split(r"[.(]", where)[1]
            begins = next(at for at, line in enumerate(lines) if line.startswith(f"CREATE FUNCTION {name}("))
            opens = next(at for at in range(begins, len(lines)) if lines[at].endswith("AS $$"))
            closes = next(at for at in range(opens, len(lines)) if lines[at].startswith("$$;"))
            body = [lines[opens].partition("$$")[2], *lines[opens + 1 : closes]]
            story["sources"][where] = {
                "file": f"sql/published/migrations/{SQL.name}",
                "file_line": opens + 1,
                "lines": body,
            }


def model() -> dict[str, Any]:
    """Lives of a marketplace, one of which broke a property."""
    found = two_buyers()
    return {
        **{key: found[key] for key in ("subject", "server", "interrupted", "seed", "seconds", "run")},
        "format": "harness-model",
        "version": 1,
        "verdict": "violated",
        "exit_code": 1,
        "limits": {"lives": 200, "steps": 20},
        "replayed": 1,
        "lives": 41,
        "steps": 803,
        "blocks": 120,
        "distinct_blocks": 97,
        "outcomes": 64,
        "seen": {"ok:Buy": 31, "refused:lead_unavailable": 12, "ok:Sweep": 9, "busy:Buy": 3, "overlap": 28, "wait": 11},
        "unexplained": {"Buy 22P02": 1},
        "properties": [
            {"id": "sold-once", "verdict": "violated", "minimal": True, "counterexample": _counterexamples(found)[0]}
        ],
        "also_broken": ["conservation"],
    }


def sweep() -> dict[str, Any]:
    """Faults at the steps of two operations, one of which broke a property; and crashes."""
    found = three_sessions()
    kinds = ["cancel", "terminate", "cut-before-send", "cut-after-send", "lock-timeout", "error 40001", "error 55P03"]
    extent = {"scenarios": 14, "exhausted": 13, "histories": 412, "not_struck": 3, "violating": 1}
    struck = {kind: {"histories": 4 + number, "violating": 0} for number, kind in enumerate(kinds)}
    broken = dict([*struck.items()][:4]) | {"cancel": {"histories": 9, "violating": 2}}
    story = _counterexamples(found)[0]["story"]
    steps = [
        {
            "where": "client" if step["where"] == "fault" else step["where"],
            "statement": step.get("statement", ""),
            "faults": struck if number % 3 else broken,
        }
        for number, step in enumerate(story["steps"])
    ]
    swept: dict[str, Any] = {
        "certificate": "EXHAUSTED",
        "preemption_bound": None,
        "histories": 9,
        "not_struck": 0,
        "violated": [],
    }
    return {
        **{key: found[key] for key in ("subject", "server", "seed", "seconds", "properties", "scenarios", "skipped")},
        "format": "harness-faults",
        "version": 1,
        "verdict": "violated",
        "exit_code": 1,
        "interrupted": False,
        "faults": kinds,
        "never_struck": [],
        "histories": 1201,
        "steps": 30,
        "strikes": 170,
        "single": extent,
        "pairs": {**extent, "wanted": 100},
        "beside": {**extent, "wanted": 100},
        "unknown": {"committed": 40, "rolled_back": 31, "ambiguous": 12, "unexplained": 0},
        "leaks": 0,
        "crashes": {
            "rounds": 3,
            "interrupted": 17,
            "acknowledged": 8041,
            "refused": 310,
            "committed": 9,
            "rolled_back": 8,
            "lost": 0,
            "again": 14,
            "recovery_seconds_max": 0.42,
            "violated": [],
            "why": [],
        },
        "operations": [
            {
                "name": "complete-credit",
                "theory": "Charged once.",
                "steps": steps,
                "faults": dict.fromkeys(kinds, swept),
            },
            {"name": "deliver-paid", "theory": "Delivered.", "steps": steps[7:9], "faults": {"cancel": swept}},
        ],
    }
