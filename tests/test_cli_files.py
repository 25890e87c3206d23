"""Files that cannot be written or read, and outputs that go nowhere: the right exit code and one line."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.db.any_server import AnyServer
from harness.verify.document import write_text
from harness.words.errors import CouldNotRun
from tests.verify.command import environment, harness

ONE = ("--scenario", "contract-repeated-completion", "--max-schedules", "1")
FULL = Path("/dev/full")
"""A device on which there is never any room (Linux)."""


@pytest.fixture(scope="module")
def violated(server: AnyServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with schedule files of a violation."""
    directory = tmp_path_factory.mktemp("violated")
    arguments = ("--subject", "published", *ONE, "--dsn", server.dsn())
    assert harness("verify", *arguments, "--schedules", "found", cwd=directory).code == 1
    return directory


# -- writing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--json", "--junit", "--schedules"])
def test_what_cannot_be_written_is_found_out_before_the_work(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("")
    assert main(["verify", option, "taken/below/x"]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line == f"harness: cannot write into {tmp_path / 'taken'}, which is a file; name a directory [read-only]"


@pytest.mark.parametrize(("subject", "code"), [("reference", 3), ("published", 1)])
def test_a_full_disk_costs_the_document_and_not_the_verdict(
    subject: str, code: int, server: AnyServer, tmp_path: Path
) -> None:
    ended = harness("verify", "--subject", subject, *ONE, "--dsn", server.dsn(), "--json", FULL, cwd=tmp_path)
    assert ended.code == code
    assert ended.err.splitlines()[-1] == (
        f"harness: {FULL} cannot be written: No space left on device; "
        "free some space, or name another file [cannot-write]"
    )
    assert "Traceback" not in ended.err
    assert ended.out.startswith(("HOLDS" if code == 3 else "VIOLATED") + f": {subject}")


def test_half_a_file_is_not_left(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "run.json"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(CouldNotRun, match=r"run\.json cannot be written: File too large"):
            write_text(path, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not path.exists()


def test_a_violation_whose_schedule_cannot_be_saved_is_still_named(server: AnyServer, tmp_path: Path) -> None:
    name = "published-charged-once-contract-repeated-completion.json"
    (tmp_path / name).symlink_to(FULL)
    arguments = ("--subject", "published", *ONE, "--dsn", server.dsn(), "--schedules", ".")
    ended = harness("verify", *arguments, cwd=tmp_path)
    assert ended.code == 1
    assert f"charged-once is violated, but {name} cannot be written: No space left" in ended.err.splitlines()[-1]


# -- the standard output --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["scenarios"], ["db", "status"]])
def test_an_output_without_room_is_one_line(command: list[str], tmp_path: Path) -> None:
    with FULL.open("w") as nowhere:
        ended = subprocess.run(
            [sys.executable, "-m", "harness", *command],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=nowhere,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == 3
    assert ended.stderr == "harness: cannot write the output: No space left on device [no-output]\n"


@pytest.mark.parametrize(("command", "code"), [("scenarios", 0), ("db status", 3), ("replay FILE --step", 1)])
def test_a_reader_that_has_gone_is_no_trouble(
    command: str, code: int, violated: Path, server: AnyServer, tmp_path: Path
) -> None:
    (found,) = violated.glob("found/*charged-once*")
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "harness", *command.replace("FILE", str(found)).split()],
        cwd=tmp_path,
        env=environment(tmp_path, {"HARNESS_DSN": server.dsn()}),
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (code, "")


def test_a_replay_step_by_step_tells_what_each_has_come_to(violated: Path, server: AnyServer, tmp_path: Path) -> None:
    (found,) = violated.glob("found/*charged-once*")
    ended = subprocess.run(
        [sys.executable, "-m", "harness", "replay", str(found), "--step"],
        cwd=tmp_path,
        env=environment(tmp_path, {"HARNESS_DSN": server.dsn()}),
        input="\n" * 500,
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stderr) == (1, "")
    assert f"The same {ended.stdout.count('[Enter]')} steps" in ended.stdout
    walked = ended.stdout[: ended.stdout.rindex("[Enter]")]
    assert "    saw v_" in walked
    assert "    committed balance " in walked


# -- reading a schedule ---------------------------------------------------------------------------------------


def changed(**parts: Any) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | parts)


DAMAGED: dict[str, tuple[Callable[[str], str], str]] = {
    "empty": (lambda _: "", "is not valid JSON"),
    "truncated": (
        lambda text: text[: len(text) // 2],
        "it may have been cut off: run verify again [bad-schedule-file]",
    ),
    "other": (lambda _: "[]", 'is no schedule file; expected "format": "harness-schedule"'),
    "version": (changed(version=99), "has version 99; expected version 1"),
    "part": (changed(steps=[[0]]), "lacks a part or has one of a wrong kind"),
    "subject": (
        changed(subject={"name": "published", "digest": "0"}),
        "recorded on another subject than the published",
    ),
    "nobody": (changed(subject={"name": "nobody", "digest": "0"}), "there is no subject 'nobody'"),
    "scenario": (
        changed(scenario={"name": "contract-repeated-completion", "digest": "0"}),
        "recorded on another scenario than the contract-repeated-completion that is here (0, not ",
    ),
    "unknown": (changed(scenario={"name": "nothing", "digest": "0"}), "there is no scenario 'nothing'"),
    "isolation": (changed(isolation="dirty"), "none of a run of contract-repeated-completion"),
    "property": (changed(property="beauty"), "none of a run of contract-repeated-completion"),
    "sessions": (changed(steps=[[7, [0, 7]]]), "none of a run of contract-repeated-completion"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_or_foreign_schedule_is_refused(
    kind: str, violated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage, says = DAMAGED[kind]
    (found,) = violated.glob("found/*charged-once*")
    file = tmp_path / "schedule.json"
    file.write_text(damage(found.read_text()))
    assert main(["replay", str(file)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert says in line


def test_the_schedule_of_a_folder_is_not_run_on_ours(violated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = violated.glob("found/*charged-once*")
    assert main(["replay", str(found), "--subject", "reference"]) == 2
    assert "recorded on another subject than the reference that is here" in capsys.readouterr().err


def test_a_schedule_that_goes_another_way_is_no_replay(violated: Path, server: AnyServer, tmp_path: Path) -> None:
    (found,) = violated.glob("found/*charged-once*")
    steps = json.loads(found.read_text())["steps"]
    file = tmp_path / "schedule.json"
    file.write_text(changed(steps=steps[:-1])(found.read_text()))
    ended = harness("replay", file, "--dsn", server.dsn(), cwd=tmp_path)
    assert (ended.code, ended.err) == (3, "")
    assert "NONDETERMINISTIC: the run was not the recorded one: the run diverged: at step" in ended.out
