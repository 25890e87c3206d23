"""The example documents of these tests, and their gold files: what each view of them looks like.

``python -m tests.report.documents`` writes the gold files anew; look at the difference before you keep it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from harness.report.junit import junit
from harness.report.lanes import lanes
from harness.report.terminal import render

HERE = Path(__file__).parent
NAMES = ("holds", "published", "violated_two", "violated_three", "not_exercised", "hang")


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return found


def story(name: str) -> dict[str, Any]:
    """The first counterexample's."""
    found: dict[str, Any] = next(p["counterexample"] for p in document(name)["properties"] if p["counterexample"])
    return {"story": found["story"], "guilty": found["guilty"]}


def five_sessions() -> dict[str, Any]:
    """Five clients in a queue for one lead, each of whom waits for the one before."""
    names = ["anna", "bert", "carl", "dora", "emil"]
    steps: list[dict[str, Any]] = []
    for number, name in enumerate(names):
        events = [{"kind": "wait", "session": name, "peers": [names[number - 1]]}] if number else []
        place = {"where": "public.take(uuid):3", "statement": "SELECT status FROM leads WHERE id = $1 FOR UPDATE"}
        call = {"invokes": f"MarkSold(leads=('L{number}',))", "sent": "SELECT leads_marked FROM take(%(lead)s)"}
        steps.append({"step": number, "session": name, "events": events, **place, **call})
    for number, name in enumerate(names):
        events = [{"kind": "return", "session": name, "detail": "ok"}]
        if number + 1 < len(names):
            events.insert(0, {"kind": "wake", "session": names[number + 1], "peers": [name]})
        place = {"where": "public.take(uuid):9", "statement": ""}
        steps.append({"step": len(names) + number, "session": name, "events": events, **place})
    start: dict[str, Any] = {"workspaces": {}, "leads": {}, "purchases": {}, "top_ups": {}}
    parts = ("balances", "leads", "purchases", "items", "ledger", "charges", "reservations", "top_ups")
    return {"sessions": names, "steps": steps, "start": start, "final": dict.fromkeys(parts)}


def views() -> list[tuple[str, Callable[[], str]]]:
    """Gold file and how its text is made."""
    told = story("violated_three")
    return [
        *((f"{name}.txt", partial(render, document(name), ascii_only=False)) for name in NAMES),
        ("violated_two-80-ascii.txt", partial(render, document("violated_two"), width=80, ascii_only=True)),
        ("violated_two.xml", partial(junit, document("violated_two"))),
        ("lanes-three-130-full.txt", partial(lanes, **told, width=130, full=True, ascii_only=False)),
        ("lanes-three-80.txt", partial(lanes, **told, width=80, ascii_only=False)),
        ("lanes-five-80.txt", partial(lanes, five_sessions(), width=80, ascii_only=False)),
    ]


if __name__ == "__main__":
    for name, view in views():
        (HERE / "gold" / name).write_text(view() + "\n", encoding="utf-8")
