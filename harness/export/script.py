"""A recorded run as a script: who says what to the server, where everybody stops, and who waits for whom meanwhile.

Everything is written out: statements have their values in them. What is exported is made from this alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.marketplace.subject import Subject
from harness.words.recording import Recording
from harness.words.sessions import sentence


@dataclass(frozen=True, slots=True)
class Place:
    """A scheduling point inside a function: its id, the function, the line of its body, and what comes next there."""

    point: int
    function: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said to one statement: an error (``sqlstate``, ``message``), or columns and rows as text."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    sqlstate: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """One statement with its values written out, and the answer to it."""

    text: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a session: from where it stands to its next stop.

    ``number`` is the recording's; steps of the prologue have negative ones. ``sends`` are the statements that it sends
    (two when the first one opens a transaction), none for a step that begins ``place``, inside a function. A step that
    sends may pass one point without a stop, on its way into a function: ``place`` then, too. ``stops`` are the sessions
    that come to a stop in it, ``waits`` those that wait for a lock when it is over, ``victim`` who is told of a
    deadlock. ``title`` is the operation that begins with it, ``told`` what clients were told in it.
    """

    number: int
    session: str
    sends: tuple[Sent, ...]
    place: Place | None
    stops: tuple[str, ...]
    waits: tuple[str, ...]
    victim: str | None = None
    title: str = ""
    told: tuple[str, ...] = ()

    @property
    def inside(self) -> bool:
        """It begins inside a function."""
        return not self.sends


@dataclass(frozen=True, slots=True)
class Probe:
    """A look at the end: what it is about, its query, and the rows that it gave after the recorded run."""

    name: str
    query: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Script:
    """The whole run. ``sessions`` are in the order in which they first act or are declared.

    ``fixtures`` are the statements of the start, ``wipes`` those before them; ``functions`` the statements that install
    the copies with points of those functions that the run comes through; ``names`` the ids with their names.
    """

    recording: Recording
    subject: Subject
    role: str
    isolation: str
    sessions: tuple[str, ...]
    steps: tuple[Step, ...]
    wipes: tuple[str, ...]
    fixtures: tuple[str, ...]
    functions: tuple[str, ...]
    names: Mapping[str, str]
    probes: tuple[Probe, ...]

    @property
    def why(self) -> str:
        """What the run breaks, with the sessions by their names."""
        return sentence(self.recording.why, self.sessions)

    def of(self, session: str) -> Sequence[Step]:
        """The steps of one session."""
        return [step for step in self.steps if step.session == session]

    def victims(self) -> set[str]:
        """The sessions that the server chooses to break a deadlock."""
        return {step.victim for step in self.steps if step.victim is not None}
