"""The run of a counterexample once more, with an onlooker: what each step committed, read, and waited for.

All of it is added to the story of the run, and none of it where the run was not the recorded one again: then the story
says why it is not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.db.instrument import telling
from harness.db.plan import Plan
from harness.engine.campaign import Finding
from harness.marketplace.start import State
from harness.marketplace.subject import Subject
from harness.verify.awaited import RowNames
from harness.verify.because import because
from harness.verify.onlooker import Onlooker
from harness.verify.repeat import run_again
from harness.verify.seen import seen
from harness.verify.serial_orders import serial_orders
from harness.verify.snapshots import snapshots
from harness.verify.sources import sources
from harness.verify.story import plain, tell
from harness.verify.trial import Trial
from harness.verify.unshown import unshown
from harness.words.history import EventKind
from harness.words.recording import Recording
from harness.words.things import NOTHING, equal, things_in

TRIES = 3
"""A wait that the server breaks off at once can be over before anybody looks at it."""


def exhibit(
    subject: Subject, plan: Plan, trial: Trial, recording: Recording, finding: Finding
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The story of a finding, which ``recording`` recorded, with what is seen when it is run once more; and what that
    explains: the parts ``because`` and ``serial_orders`` of a counterexample."""
    run, history = finding.run, finding.history
    scenario = trial.scenario
    story = tell(scenario, plan, run, history)
    with telling(trial.connection, plan):
        onlookers = _looked_at(trial, recording)
    explained = serial_orders(history, story["sessions"])
    if isinstance(onlookers, str):
        story["not_shown"] = onlookers
    else:
        rows = RowNames(subject, trial.world.names)
        show(story, onlookers, rows, recording.isolation, plan)
        if (why := because(story, dict(finding.violation.guilty), rows.tables, unshown(plan))) is not None:
            explained["because"] = why
    story["sources"] = sources(story, subject, plan)
    return story, explained


def _looked_at(trial: Trial, recording: Recording) -> Sequence[Onlooker] | str:
    """Who has seen the run, and who has seen it another time, or why nobody has."""
    waits = sum(event.kind is EventKind.WAIT for event in recording.events)
    left = TRIES
    while True:
        left -= 1
        onlooker, difference = _look_at(trial, recording)
        if not left or not (difference or len(onlooker.awaited) < waits):
            break
    if why := difference or onlooker.blind:
        return why
    other, difference = _look_at(trial, recording)
    return difference or (onlooker, other)


def _look_at(trial: Trial, recording: Recording) -> tuple[Onlooker, str]:
    """Who has seen the run once more, and what was not as it was recorded."""
    onlooker = Onlooker(trial)
    return onlooker, run_again(onlooker, recording.decisions, recording.events, recording.outcome).difference


def show(story: dict[str, Any], onlookers: Sequence[Onlooker], rows: RowNames, isolation: str, plan: Plan) -> None:
    """Add to the steps of a story what the first of the onlookers saw in the same run, and of what sessions saw that
    alone which all of them did."""
    onlooker = onlookers[0]
    steps = story["steps"]
    sessions = {name: number for number, name in enumerate(story["sessions"])}
    awaited: dict[str, dict[str, Any]] = {}
    for number, news in seen(story, onlookers, plan, rows.names).items():
        steps[number]["saw"] = news
    for step, reads in zip(steps, snapshots(steps, onlooker.opened, isolation), strict=True):
        number = step["step"]
        if committed := list(commits(onlooker.committed[number - 1], onlooker.committed[number])):
            step["commits"] = committed
        if reads is not None:
            step["reads"] = reads
        for event in step["events"]:
            name = event["session"]
            if event["kind"] == "wait":
                if (found := onlooker.awaited.get((number, sessions.get(name, -1)))) is not None:
                    awaited[name] = rows.told(found)
                if name in awaited:
                    event["row"] = awaited[name]
            elif event["kind"] == "wake":
                awaited.pop(name, None)
            elif event["kind"] == "deadlock":
                event["cycle"] = list(cycle(event["peers"], awaited))
                awaited.pop(name, None)


def commits(before: State, after: State) -> Iterator[dict[str, str]]:
    """What is another in the second state, in the words of ``harness.words.things``."""
    if before is after:
        return
    old, new = things_in(plain(before)), things_in(plain(after))
    for thing in dict.fromkeys([*old, *new]):
        was, now = old.get(thing, NOTHING), new.get(thing, NOTHING)
        if not equal(was, now):
            yield {"name": " ".join(thing), "before": was, "after": now}


def cycle(names: Sequence[str], awaited: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Who waits for whom, and for which row as far as it was seen, all around."""
    for name, other in zip(names, [*names[1:], *names[:1]], strict=True):
        yield {"session": name, "waits_for": other, **({"row": awaited[name]} if name in awaited else {})}
