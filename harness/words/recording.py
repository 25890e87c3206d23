"""The schedule file: a run that can be made again, as small versioned JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.words.errors import UsageError
from harness.words.history import Event, EventKind
from harness.words.schedule import Decision

FORMAT = "harness-schedule"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Recording:
    """What must be the same for a replay to be one, and what it must reproduce.

    ``subject_digest`` and ``scenario_digest`` say what was run; ``decisions`` with their enabled sets, and ``events``
    (waits, wake-ups, deadlocks, faults, SQLSTATEs), what happened; ``outcome`` is the fingerprint of answers and end.
    ``written`` is the scenario itself, as JSON, when it stands in no file. ``through`` says how operations were asked
    for: by the subject's ``calls``, or by requests to the ``api``.
    """

    subject: str
    subject_digest: str
    scenario: str
    scenario_digest: str
    isolation: str
    property: str
    why: str
    preemptions: int
    proved_minimum: bool
    decisions: tuple[Decision, ...]
    events: tuple[Event, ...]
    outcome: str
    written: Mapping[str, Any] | None = None
    through: str = "calls"

    def to_json(self) -> str:
        document: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "subject": {"name": self.subject, "digest": self.subject_digest},
            "scenario": {"name": self.scenario, "digest": self.scenario_digest},
            "isolation": self.isolation,
            "property": self.property,
            "why": self.why,
            "preemptions": self.preemptions,
            "proved_minimum": self.proved_minimum,
            "steps": [[decision.chosen, list(decision.enabled)] for decision in self.decisions],
            "events": [[e.step, e.session, e.kind.value, e.detail, list(e.peers)] for e in self.events],
            "outcome": self.outcome,
        }
        if self.through != "calls":
            document["through"] = self.through
        if self.written is not None:
            document["written"] = self.written
        return json.dumps(document, indent=None, separators=(", ", ": ")) + "\n"

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Raises ``UsageError`` for a file that is missing, truncated, or of another format or version."""
        try:
            return cls.read(path.read_bytes(), str(path))
        except OSError as error:
            raise UsageError(
                "no-schedule-file", f"cannot read {path}: {error.strerror}", remedy="name a file that verify wrote"
            ) from error

    @classmethod
    def read(cls, text: str | bytes, path: str) -> Recording:
        """The recording that ``text`` is; ``path`` says where it was found. Raises ``UsageError`` as ``load`` does."""
        try:
            document = json.loads(text)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UsageError(
                "bad-schedule-file",
                f"{path} is not valid JSON ({error})",
                expected="a schedule file that is whole",
                remedy="it may have been cut off: run verify again",
            ) from error
        if not isinstance(document, Mapping) or document.get("format") != FORMAT:
            raise UsageError("bad-schedule-file", f"{path} is no schedule file", expected=f'"format": "{FORMAT}"')
        if document.get("version") != VERSION:
            raise UsageError(
                "schedule-version",
                f"{path} has version {document.get('version')!r}",
                expected=f"version {VERSION}",
                remedy="run verify again with this version of the harness",
            )
        try:
            return cls._from(document)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise UsageError(
                "bad-schedule-file",
                f"{path} lacks a part or has one of a wrong kind ({type(error).__name__}: {error})",
                remedy="run verify again",
            ) from error

    @classmethod
    def _from(cls, document: Mapping[str, Any]) -> Recording:
        decisions: list[Decision] = []
        current: int | None = None
        for chosen, enabled in document["steps"]:
            if chosen not in enabled:
                raise ValueError(f"step {len(decisions)} takes session {chosen}, which is not enabled")
            decisions.append(Decision(tuple(map(int, enabled)), current, int(chosen)))
            current = int(chosen)
        return cls(
            subject=str(document["subject"]["name"]),
            subject_digest=str(document["subject"]["digest"]),
            scenario=str(document["scenario"]["name"]),
            scenario_digest=str(document["scenario"]["digest"]),
            isolation=str(document["isolation"]),
            property=str(document["property"]),
            why=str(document["why"]),
            preemptions=int(document["preemptions"]),
            proved_minimum=bool(document["proved_minimum"]),
            decisions=tuple(decisions),
            events=tuple(
                Event(int(step), int(session), EventKind(kind), str(detail), tuple(map(int, peers)))
                for step, session, kind, detail, peers in document["events"]
            ),
            outcome=str(document["outcome"]),
            through=str(document.get("through", "calls")),
            written=None if document.get("written") is None else dict(document["written"]),
        )
