"""Where in the subject's files a counterexample goes wrong: what was read there was not true any more when it was used.

That is a judgement for people. Named is the first step of the run on a line that the change has touched; where there is
none, the first that the story's own reason names; else the last one inside a function of a session that was
stopped then while it could have gone on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A statement: its function and the line of the body, and the file and line where that is, if they are known."""

    function: str
    body_line: int
    statement: str
    file: str = ""
    line: int = 0
    touched: bool = False
    """By the change that is judged; ``line`` is then the one that it touched."""

    def __str__(self) -> str:
        name = self.function.partition("(")[0].rpartition(".")[2]
        return f"{self.file}:{self.line}" if self.file else f"{name}, line {self.body_line}"


@dataclass(frozen=True, slots=True)
class Sources:
    """``functions`` are those of a document's coverage, which know their files by name; ``files`` says where those lie.

    ``changed`` are the lines that the change has touched, by file.
    """

    functions: Sequence[Mapping[str, Any]]
    files: Mapping[str, str]
    changed: Mapping[str, Sequence[int]]

    def place(self, step: Step) -> Place:
        """Where a step inside a function is."""
        function, line = _where(step)
        known = next((each for each in self.functions if each["function"] == function and "file" in each), None)
        if known is None:
            return Place(function, line, step["statement"])
        file = self.files.get(known["file"], known["file"])
        return Place(function, line, step["statement"], file, known["file_line"] + line - 1)


def guilty_place(counterexample: Mapping[str, Any], sources: Sources) -> Place | None:
    """Where the run goes wrong; None where no function is to blame."""
    steps: Sequence[Step] = [each for each in counterexample["story"]["steps"] if _is_inside(each)]
    touched = next(_touched(steps, sources), None)
    if touched is not None or not steps:
        return touched
    named = counterexample.get("because", {}).get("steps", ())
    because = [each for number in named for each in steps if each["step"] == number]
    return sources.place([*because, *_stopped(counterexample["story"]["steps"]), steps[-1]][0])


def _touched(steps: Sequence[Step], sources: Sources) -> Iterator[Place]:
    """Steps of the run that execute a line of the change. A statement goes on until the next one that is known of."""
    begins: dict[str, set[int]] = {}
    for step in steps:
        place = sources.place(step)
        begins.setdefault(place.file, set()).add(place.line)
    for each in sources.functions:
        if "file" in each:
            lines = begins.setdefault(sources.files.get(each["file"], each["file"]), set())
            lines.add(each["file_line"])
            lines.update(each["file_line"] + one["line"] - 1 for one in each["unreached"])
    for step in steps:
        place = sources.place(step)
        for line in sources.changed.get(place.file, ()) if place.file else ():
            if place.line <= line and not any(place.line < other <= line for other in begins[place.file]):
                yield Place(place.function, place.body_line, place.statement, place.file, line, touched=True)


def _stopped(steps: Sequence[Step]) -> Iterator[Step]:
    for number, step in enumerate(steps):
        if stopped := step.get("preempts"):
            yield from [each for each in steps[:number] if each["session"] == stopped and _is_inside(each)][-1:]


def _is_inside(step: Step) -> bool:
    """Whether it executes a statement of a function; at its end there is none."""
    return step["where"] not in ("client", "fault") and bool(step.get("statement"))


def _where(step: Step) -> tuple[str, int]:
    function, _, line = str(step["where"]).rpartition(":")
    return function, int(line)
