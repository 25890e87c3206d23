"""What to do next, as commands to copy."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any

from harness.report.counterexamples import replay_line, showings
from harness.report.page import Page
from harness.report.phrases import count


def advice(paper: Page, document: Mapping[str, Any]) -> list[str]:
    """A few lines, the most useful first."""
    return [
        text for why, command in commands(document) for text in (*paper.wrap(why, 2), f"      {paper.plain(command)}")
    ]


def commands(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What to do next: what for, and the command that does it."""
    lines: list[tuple[str, str]] = []
    subject = shlex.quote(document["subject"].get("folder") or document["subject"]["name"])
    if through := document["subject"].get("through"):
        subject += f" --through {through}"
    again = f"harness verify --subject {subject}"
    if shard := document.get("shard"):
        again += f" --shard {shard['index']}/{shard['of']}"
    if found := showings(document):
        smallest = min((each.counterexample for each in found), key=lambda each: (each["preemptions"], each["steps"]))
        lines.append(("The smallest counterexample, step by step:", f"{replay_line(document, smallest)} --step"))
    doubtful = next((each["name"] for each in document["scenarios"] if each["hang"] or each["diverged"]), None)
    if doubtful:
        alone = f"harness explore {doubtful} --subject {subject}"
        lines.append(("The scenario that could not be judged, alone:", alone))
    if document["verdict"] == "violated":
        lines.append(
            ("After the repair, every scenario again:", f"{again} {_limit(document)} --seed {document['seed']}")
        )
    elif shard:
        lines.append(("All shards as one, from their documents:", "harness report --merge SHARD.json ..."))
    elif document["verdict"] != "could_not_run":
        unfinished = sum(each["certificate"] != "EXHAUSTED" for each in document["scenarios"])
        gaps = any(each["verdict"] == "not_exercised" for each in document["properties"])
        if unfinished or gaps or document["interrupted"]:
            why = f"More time, since {_gaps(unfinished, gaps, document['interrupted'])}:"
            lines.append((why, f"{again} {_limit(document, times=4)}"))
    return lines


def _gaps(unfinished: int, not_exercised: bool, interrupted: bool) -> str:
    if interrupted:
        return "this run was interrupted"
    if not_exercised:
        return "not every property was put to the test"
    return f"{count(unfinished, 'scenario was', 'scenarios were')} not exhausted"


def _limit(document: Mapping[str, Any], times: int = 1) -> str:
    limits = document["limits"]
    if limits["schedules"] is not None:
        return f"--max-schedules {limits['schedules'] * times}"
    seconds = math.ceil((limits["seconds"] or 60) * times)
    return f"--budget {seconds // 60}m" if seconds % 60 == 0 else f"--budget {seconds}s"
