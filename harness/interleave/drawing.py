"""Schedules for Hypothesis: sparse, and drawn whole before anything runs.

Of four encodings this one shrank fastest and to the fewest preemptions: a list of switches, and where there is none the
session that ran last goes on. Whatever is drawn is a valid schedule (``harness.words.schedule``), so that the shrinker
may drop any part of it.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.words.schedule import Schedule, Switch

_NEAR = (6, 18)
"""Positions below these are drawn as often as all others: most runs are short, and a switch after the end is none."""


def schedules(sessions: int, *, steps_max: int = 60, preemptions_max: int = 5) -> SearchStrategy[Schedule]:
    """Schedules of at most ``preemptions_max`` switches among so many sessions, within the first ``steps_max`` steps.

    Shrinks towards fewer switches, then earlier ones, then sessions of a lower number. A switch to the session that is
    running, to one that cannot go on, or beyond the end of the run does nothing.
    """
    if sessions < 1 or steps_max < 1 or preemptions_max < 0:
        raise ValueError(f"no schedules of {sessions} sessions, {steps_max} steps, {preemptions_max} preemptions")
    limits = [near for near in _NEAR if near < steps_max]
    positions = st.one_of([st.integers(0, limit - 1) for limit in (*limits, steps_max)])
    switches = st.builds(Switch, positions, st.integers(0, sessions - 1))
    return st.lists(switches, max_size=min(preemptions_max, steps_max), unique_by=lambda switch: switch.position).map(
        lambda drawn: tuple(sorted(drawn))
    )
