"""``harness replay``: a recorded run again, step by step if so asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness.doors.asking import cases, opened, scenarios_of, subject_of
from harness.doors.requesting import way
from harness.doors.saying import say, width
from harness.engine.execution import Chooser
from harness.faults.case import scenario_named
from harness.report.lanes import lanes, step_by_step
from harness.verify.alone import replay as replay_alone
from harness.verify.alone import require_same, written_scenario
from harness.words.errors import ExitCode
from harness.words.recording import Recording
from harness.words.sessions import sentence


def replay(file: Path, *, step: bool, subject_name: str | None, scenario_files: Path | None, database: str) -> int:
    """Run a schedule file again and show it; returns the exit code."""
    recording = Recording.load(file)
    subject = subject_of(subject_name or recording.subject)
    scenario = written_scenario(recording) or scenario_named(recording.scenario, cases())
    if scenario is None:
        (scenario,) = scenarios_of([recording.scenario], scenario_files, recording.through)
    require_same(recording, subject, scenario)
    with opened(database) as server:
        watch = (lambda story: partial(_Stepping, story)) if step else None
        replayed = replay_alone(server, subject, scenario, recording, watch, way(recording.through))
    if replayed.story:
        say(lanes(replayed.story, width=width(), full=True))
    if not replayed.faithful:
        say(f"NONDETERMINISTIC: the run was not the recorded one: {replayed.difference}")
        return ExitCode.COULD_NOT_RUN
    why = f"violated: {sentence(recording.why, list(scenario.sessions))}" if replayed.violated else "kept"
    say(f"{recording.property} is {why}")
    if replayed.because:
        say(f"{replayed.because[:1].upper()}{replayed.because[1:]}.")
    say(f"The same {len(recording.decisions)} steps, waits, answers and end as recorded.")
    return ExitCode.VIOLATED if replayed.violated else ExitCode.HOLDS


class _Stepping:
    """Asks for Enter before each step of a replay, and says what the one before has come to."""

    def __init__(self, story: Mapping[str, Any], chooser: Chooser) -> None:
        self._chooser = chooser
        self._sessions: Sequence[str] = story["sessions"]
        self._told = step_by_step(story, width())

    def choose(self, position: int, enabled: tuple[int, ...], current: int | None) -> int:
        chosen = self._chooser.choose(position, enabled, current)
        for line in self._told[position - 1] if position else ():
            say(line)
        others = ", ".join(self._sessions[each] for each in enabled if each != chosen) or "nobody else"
        try:
            input(f"step {position}: {self._sessions[chosen]} (could also go on: {others}) [Enter] ")
        except (EOFError, BrokenPipeError):
            say("")  # nobody answers, or nobody reads: the replay goes on
        return chosen

    def stretch(self, position: int, enabled: tuple[int, ...], chosen: int) -> int:
        del position, enabled, chosen
        return 0
