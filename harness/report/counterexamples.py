"""The counterexamples of a run document: why in a sentence, the run in lanes, and how to make it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from harness.report.lanes import lanes
from harness.report.page import Page
from harness.report.phrases import count, seconds
from harness.words.sessions import sentence


@dataclass(frozen=True, slots=True)
class Showing:
    """One run and the properties, entries of the run document, that it breaks."""

    properties: Sequence[Mapping[str, Any]]

    @property
    def counterexample(self) -> Mapping[str, Any]:
        return self.properties[0]["counterexample"]  # type: ignore[no-any-return]

    @property
    def guilty(self) -> dict[str, str]:
        return {key: value for each in self.properties for key, value in each["counterexample"]["guilty"].items()}


def showings(document: Mapping[str, Any]) -> list[Showing]:
    """The runs to show, in the order of the properties; one that breaks several is there once."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for each in document["properties"]:
        if found := each["counterexample"]:
            groups.setdefault(json.dumps([found["scenario"], found["story"]["steps"]]), []).append(each)
    return [Showing(group) for group in groups.values()]


def reason(entry: Mapping[str, Any]) -> str:
    """Why a property has its verdict: one sentence, or none where there is nothing to say."""
    found = entry["counterexample"]
    return sentence(found["why"], found["story"]["sessions"]) if found else str(entry.get("why", ""))


def replay_line(document: Mapping[str, Any], counterexample: Mapping[str, Any]) -> str:
    """The command that runs the schedule again, as a shell takes it."""
    folder = document["subject"].get("folder")
    subject = f" --subject {shlex.quote(folder)}" if folder else ""
    return f"harness replay {shlex.quote(counterexample['file'])}{subject}"


def provenance(counterexample: Mapping[str, Any]) -> tuple[str, str]:
    """Where the run comes from and how small it is; how soon it was found, and how faithfully it is made again."""
    breaks = count(counterexample["preemptions"], "preemption")
    if counterexample["preemptions"]:
        breaks += " (the fewest that do it)" if counterexample["proved_minimum"] else " (fewer not ruled out)"
    run = (counterexample["scenario"], counterexample["isolation"], count(counterexample["steps"], "step"), breaks)
    after = count(counterexample["found_after_schedules"], "schedule")
    found = f"found after {after} in {seconds(counterexample['found_after_seconds'])}"
    return ", ".join(run), f"{found}, replayed {counterexample['reproduced']} of {counterexample['replays']} times"


def shown(paper: Page, document: Mapping[str, Any], showing: Showing) -> list[str]:
    """One run as a section of a report."""
    ids = ", ".join(each["id"] for each in showing.properties)
    found = showing.counterexample
    lines = [heading(paper, ids)]
    if len(showing.properties) == 1:
        lines += [paper.ink(line, "red") for line in paper.wrap(reason(showing.properties[0]))]
    else:
        for each in showing.properties:
            lines += [paper.ink(line, "red") for line in paper.wrap(f"{each['id']}: {reason(each)}", hang=4)]
    if why := found.get("because"):
        lines += paper.wrap(f"{why['sentence'][:1].upper()}{why['sentence'][1:]}.")
    lines += [paper.ink(line, "dim") for text in provenance(found) for line in paper.wrap(text)]
    if found["reproduced"] < found["replays"]:
        lines += paper.wrap("Not every replay went the same way: what follows depends on more than the schedule.")
    picture = lanes(
        found["story"],
        width=paper.width,
        colour=paper.colour,
        guilty=showing.guilty,
        ascii_only=paper.ascii_only,
    )
    return [*lines, "", picture, "", "    " + paper.ink(replay_line(document, found), "bold")]


def sections(paper: Page, texts: Mapping[str, Sequence[str]]) -> list[str]:
    """Texts under their titles, each after an empty line; none for a text that is empty."""
    return [line for title, text in texts.items() if text for line in ("", heading(paper, title), *text)]


def heading(paper: Page, text: str) -> str:
    """A line across the page with a title in it."""
    line = paper.plain("─")
    title = paper.plain(text)
    if cell_len(title) > paper.width - 6:
        title = paper.fit(text, paper.width - 6)
    return paper.ink(f"{line * 2} {title} {line * max(paper.width - len(title) - 4, 2)}", "bold")
