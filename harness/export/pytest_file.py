"""The run as a test for pytest: one file with the schedule in it."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import replace

from harness.marketplace.notation import write_scenario
from harness.marketplace.scenario import Scenario
from harness.words.recording import Recording
from harness.words.sessions import sentence

_FILE = '''"""{title}

{why}

Recorded by the harness; exported with `harness export --as pytest`. The plugin of pytest comes with
atomic-payment-harness: there is nothing to configure.

The test runs the recorded schedule on a fresh database with the subject in it, and fails while it violates {property}.
After a repair the schedule may break nothing any more, or may not even be possible, since sessions wait where they did
not: then every schedule of the same scenario with at most {preemptions} is run, up to
--harness-schedules of them, and the test passes when none of them violates {property}.
"""

SUBJECT = {subject}
"""What is tested: a subject of the harness, or the path of your folder with a subject.toml."""

SCHEDULE = r"""
{schedule}
"""


def test_{name}(counterexample):
    counterexample(SUBJECT, SCHEDULE)
'''


def pytest_file(recording: Recording, scenario: Scenario, subject: str) -> str:
    """The text of the file; ``subject`` is the name or path that it is tried on."""
    whole = replace(recording, written=write_scenario(scenario))
    document = json.loads(whole.to_json())
    # In lines of their own, and nothing that a raw string cannot hold: JSON writes quotes in text as \\u0022 as well.
    lines = ",\n".join(f"{_json(key)}: {_json(value)}" for key, value in document.items())
    bound = bound_of(recording)
    preemptions = f"{bound} preemption{'' if bound == 1 else 's'}"
    return _FILE.format(
        title=_prose(f"{recording.property} is violated: {recording.scenario} on {subject}."),
        why=_prose(sentence(recording.why, list(scenario.sessions))),
        property=recording.property,
        preemptions=preemptions,
        subject=json.dumps(subject),
        schedule=f"{{{lines}}}",
        name=re.sub(r"\W+", "_", f"{recording.property}_{recording.scenario}", flags=re.ASCII),
    )


def bound_of(recording: Recording) -> int:
    """How many preemptions the schedules may have that are run when the recorded one breaks nothing: at least one."""
    return max(recording.preemptions, 1)


def _json(value: object) -> str:
    return json.dumps(value).replace('\\"', "\\u0022")


def _prose(text: str) -> str:
    """Text that can stand in a docstring."""
    plain = " ".join(text.split()).replace("\\", "\\\\").replace('"', "'")
    return "\n".join(textwrap.wrap(plain, 118, break_long_words=False))
