"""``harness scenarios``: what there is to play."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.doors.asking import scenarios_of, subject_of
from harness.doors.saying import say
from harness.words.errors import ExitCode


def list_scenarios(subject_name: str, scenario_files: Path | None) -> int:
    """Tell every scenario and whether the subject can play it; returns the exit code."""
    subject = subject_of(subject_name)
    for scenario in scenarios_of(None, scenario_files):
        lacking = subject.lacks(scenario.start, scenario.operations)
        say(f"{scenario.name}" + (f"  (not on {subject.name}: no {', no '.join(lacking)})" if lacking else ""))
        say(f"    {scenario.theory}")
        for name, program in scenario.sessions.items():
            steps = program if isinstance(program, Sequence) else [program]
            say(f"    {name}: {'; '.join(map(str, steps))}")
        say(f"    holds: {', '.join(scenario.properties)}")
    return ExitCode.HOLDS
