"""The cases of the fault sweep: an operation, what its client does after it went wrong, and who is there beside it."""

from __future__ import annotations

import runpy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.marketplace.block import Nemesis, Sessions
from harness.marketplace.operations import Operation
from harness.marketplace.properties import PROPERTIES
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import Start
from harness.words.errors import UsageError
from harness.words.fault import Fault, FaultKind

BESIDE = "beside"
_BETWEEN = "~"


@dataclass(frozen=True, slots=True)
class Case:
    """One operation from one start.

    ``program`` is the operation and, where a client would try again, its retry. ``beside`` is what another client asks
    for that wants the same rows; only then has anybody to wait for a lock.
    """

    name: str
    theory: str
    start: Start
    program: tuple[Operation, ...]
    beside: tuple[Operation, ...]

    def scenario(self, faults: Sequence[Fault], *, beside: bool = False) -> Scenario:
        """The case under these faults, one nemesis for each, with the other client or without."""
        sessions: dict[str, Sequence[Operation] | Nemesis] = {"client": self.program}
        if beside:
            sessions[BESIDE] = self.beside
        for number, fault in enumerate(faults):
            sessions["nemesis" if number == 0 else f"nemesis {number + 1}"] = Nemesis("client", fault)
        return self._scenario(faults, sessions, beside)

    def _scenario(self, faults: Sequence[Fault], sessions: Sessions, beside: bool) -> Scenario:
        words = [self.name, *(str(fault).replace(" ", "=") for fault in faults), *([BESIDE] if beside else [])]
        return Scenario(
            name=_BETWEEN.join(words),
            theory=self.theory,
            start=self.start,
            sessions=sessions,
            properties=tuple(PROPERTIES),
            # Where no operation of the client ever came to its answer, no fault has shown anything.
            happened=tuple(
                dict.fromkeys(
                    [f"fault:{fault}" for fault in faults]
                    + [f"ok:{kind}|refused:{kind}" for kind in (type(each).__name__ for each in self.program)]
                )
            ),
        )


def load_cases(directory: Path) -> dict[str, Case]:
    """Every case of a directory's ``*.py`` files, by name, in order of file and then of definition.

    Raises ``UsageError`` for a name used twice.
    """
    found: dict[str, Case] = {}
    for path in sorted(directory.glob("*.py")):
        cases = {id(value): value for value in runpy.run_path(str(path)).values() if isinstance(value, Case)}
        for case in cases.values():
            if case.name in found:
                raise UsageError("duplicate-scenario", f"{path} defines the case {case.name!r} again")
            found[case.name] = case
    return found


def scenario_named(name: str, cases: dict[str, Case]) -> Scenario | None:
    """The scenario of a case under faults that has this name (``buy~error=40001~beside``); None for any other name."""
    case_name, *words = name.split(_BETWEEN)
    if not words or case_name not in cases:
        return None
    beside = words[-1] == BESIDE
    try:
        faults = [fault_named(word) for word in (words[:-1] if beside else words)]
    except ValueError:
        return None
    return cases[case_name].scenario(faults, beside=beside)


def fault_named(word: str) -> Fault:
    """``terminate``, or ``error=40001``. Raises ``ValueError``."""
    kind, _, sqlstate = word.partition("=")
    return Fault(FaultKind(kind), sqlstate)
