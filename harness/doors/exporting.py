"""``harness export``: a recorded run leaves the harness."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.doors.asking import cases, opened, require_writable, scenarios_of, subject_of
from harness.doors.requesting import way
from harness.doors.saying import say
from harness.export.psql import psql_files
from harness.export.pytest_file import pytest_file
from harness.export.rehearsal import rehearse, require_plain
from harness.export.spec import spec_of
from harness.export.tester import run_spec
from harness.faults.case import scenario_named
from harness.interleave.exploration import SUBJECT
from harness.marketplace.scenario import Scenario
from harness.marketplace.subject import Subject
from harness.verify.alone import require_same, written_scenario
from harness.verify.document import write_text
from harness.words.errors import ExitCode, UsageError
from harness.words.recording import Recording


def export(
    file: Path, *, form: str, out: Path, subject_name: str | None, scenario_files: Path | None, database: str
) -> int:
    """Write the files of a form (spec, psql, pytest) into ``out``; returns the exit code."""
    recording = Recording.load(file)
    if recording.subject == SUBJECT:
        raise UsageError(
            "schedule-of-a-test",
            f"{file} was recorded in {recording.scenario}, whose programs are in that test",
            expected="a schedule that verify, faults or model wrote",
            remedy=f"run the test again with pytest --harness-replay={file}",
        )
    name = file.stem
    require_writable(out / "any")
    subject = subject_of(subject_name or recording.subject)
    scenario = written_scenario(recording) or scenario_named(recording.scenario, cases())
    if scenario is None:
        (scenario,) = scenarios_of([recording.scenario], scenario_files, recording.through)
    require_same(recording, subject, scenario)
    if form == "pytest":
        word = name.replace("-", "_").replace(".", "_")
        _write({f"test_{word}.py": pytest_file(recording, scenario, subject_name or recording.subject)}, out)
        say(f"    pytest {out / f'test_{word}.py'}")
        return ExitCode.HOLDS
    require_plain(scenario)
    if form == "psql":
        _write({f"{name}/{each}": text for each, text in _psql(recording, subject, scenario, database).items()}, out)
        for script in ("run.sh", "turn.sh"):
            (out / name / script).chmod(0o755)
        say(f"    {out / name}/run.sh 'host=localhost user=postgres dbname=postgres'")
        return ExitCode.HOLDS
    _write(_spec(name, recording, subject, scenario, database), out)
    say(f"    isolationtester 'dbname=...' < {out}/specs/{name}.spec | diff {out}/expected/{name}.out -")
    return ExitCode.HOLDS


def _spec(name: str, recording: Recording, subject: Subject, scenario: Scenario, database: str) -> Mapping[str, str]:
    """The specification, run once, and what it wrote."""
    with opened(database) as server:
        script = rehearse(server, subject, scenario, recording, way(recording.through))
        spec = spec_of(script, name)
        with server.database() as dsn:
            written = run_spec(dsn, spec)
    return {f"specs/{name}.spec": spec.text, f"expected/{name}.out": written}


def _psql(recording: Recording, subject: Subject, scenario: Scenario, database: str) -> Mapping[str, str]:
    with opened(database) as server:
        return psql_files(rehearse(server, subject, scenario, recording, way(recording.through)))


def _write(files: Mapping[str, str], out: Path) -> None:
    for name, text in files.items():
        write_text(out / name, text)
        say(f"wrote {out / name}")
