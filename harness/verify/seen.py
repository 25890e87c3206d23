"""All that the steps of a run made their sessions see, as far as it is the same whenever the run is made.

A number that a sequence gives, or chance, is told by no name and looks like any other: it is found by making the run
twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.db.plan import Plan
from harness.marketplace.names import Names
from harness.verify.answers import came_back
from harness.verify.onlooker import Onlooker
from harness.verify.sightings import saw

ANOTHER = "another in each run"
"""Told instead of a value that is."""

Seen = dict[int, list[dict[str, str]]]
"""The field ``saw`` of the steps of a story, by number, of those that have one."""


def seen(story: Mapping[str, Any], onlookers: Sequence[Onlooker], plan: Plan, names: Names) -> Seen:
    """What was the same to each of those who have looked on at a run that is the story's."""
    first, *others = [_seen_by(story, onlooker, plan, names) for onlooker in onlookers]
    for other in others:
        _even_out(first, other)
    return first


def _seen_by(story: Mapping[str, Any], onlooker: Onlooker, plan: Plan, names: Names) -> Seen:
    steps = story["steps"]
    found = saw(steps, onlooker.sightings, plan, names)
    for step, news in came_back(steps, story["sessions"], onlooker.answers, onlooker.calls, names):
        found.setdefault(step, []).extend(news)
    return found


def _even_out(found: Seen, other: Seen) -> None:
    for step, news in found.items():
        again = other.get(step, ())
        for each in news:
            if each not in again:
                each["value"] = ANOTHER
