"""``harness smoke``: a few schedules of whatever meets, before a commit."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.doors.asking import from_here, opened, require_writable, scenarios_of, subject_of
from harness.doors.saying import colour, exit_code, say, width
from harness.marketplace.covering import covering
from harness.marketplace.subject import Subject
from harness.report.phrases import count, seconds
from harness.report.progress import Progress
from harness.report.terminal import render
from harness.verify.orders import Limits
from harness.verify.run import Options, playable
from harness.verify.run import verify as run_verification
from harness.words.errors import ExitCode, UsageError

SUBJECT_FILE = "subject.toml"


def smoke(
    paths: Sequence[Path],
    *,
    subject_name: str,
    budget_s: float,
    seed: int,
    database: str,
    workers: int,
    schedule_files: Path,
) -> int:
    """Try the subjects that ``paths`` belong to, or the named one without any; returns the exit code.

    Nothing here is said to hold: what breaks is shown, and otherwise how little was tried.
    """
    require_writable(schedule_files / "any")
    subjects = subjects_of(paths) if paths else [subject_of(subject_name)]
    codes = [_tried(each, budget_s / len(subjects), seed, database, workers, schedule_files) for each in subjects]
    return next((code for code in codes if code), ExitCode.HOLDS)


def subjects_of(paths: Sequence[Path]) -> list[Subject]:
    """Those of the folders that the files are in, each once. Raises ``UsageError`` for a file that is in none."""
    folders = {}
    for path in paths:
        parents = path.absolute().parents if not path.is_dir() else (path.absolute(), *path.absolute().parents)
        folder = next((each for each in parents if (each / SUBJECT_FILE).is_file()), None)
        if folder is None:
            raise UsageError(
                "no-subject-here",
                f"{path} belongs to no subject: there is no {SUBJECT_FILE} above it",
                expected="files of subjects",
                remedy="let the hook see those files alone",
            )
        # With a slash, or it would be the name of a bundled one.
        folders[folder] = subject_of(f"{from_here(folder)}/")
    return list(folders.values())


def _tried(subject: Subject, budget_s: float, seed: int, database: str, workers: int, schedule_files: Path) -> int:
    able, _ = playable(subject, scenarios_of(None, None))
    few = covering(able)
    options = Options(
        subject=subject,
        scenarios=few,
        limits=Limits(seconds=budget_s, explaining_s=budget_s),
        schedule_files=schedule_files,
        seed=seed,
        workers=workers,
        replays=3,
        all_scenarios=False,
    )
    names = [scenario.name for scenario in few]
    with opened(database) as server, Progress(sys.stderr, names, budget_s, None) as shown:
        document = run_verification(server, options, shown.update, shown.interrupted)
    if document["exit_code"] in (ExitCode.VIOLATED, ExitCode.COULD_NOT_RUN):
        say(render(document, width=width(), colour=colour()))
        return exit_code(document)
    say(unbroken(document, len(able)))
    return exit_code({**document, "exit_code": ExitCode.HOLDS})


def unbroken(document: Mapping[str, Any], scenarios: int) -> str:
    """What a run that broke nothing has tried, so that nobody takes it for more. ``scenarios``: how many there are."""
    tried = [each["schedules"] for each in document["scenarios"]]
    extent = f"{count(document['schedules'], 'schedule')} of {len(tried)} of {count(scenarios, 'scenario')}"
    took = f"{seconds(document['seconds'])}, from {min(tried)} to {max(tried)} of each"
    text = (
        f"UNBROKEN: {document['subject']['name']} breaks nothing in {extent} in {took}.\n"
        "That is little, and proves nothing: harness verify looks longer, harness gate at everything."
    )
    return text.replace("\xa0", " ")
