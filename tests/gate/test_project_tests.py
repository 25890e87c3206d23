"""The project's tests as a part: how they ended, what they said last, and nothing left of them."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

import pytest

from harness.gate.project_tests import LINES_KEPT, run_tests
from harness.words.errors import CouldNotRun


def python(text: str) -> str:
    return shlex.join([sys.executable, "-S", "-c", text])


@pytest.mark.parametrize(
    ("status", "verdict", "code"),
    [(0, "holds", 0), (1, "violated", 1), (5, "not_exercised", 5), (2, "could_not_run", 3), (-9, "could_not_run", 3)],
)
def test_how_it_ends_is_what_it_says(status: int, verdict: str, code: int) -> None:
    ending = "import os; os.kill(os.getpid(), 9)" if status < 0 else f"raise SystemExit({status})"
    told = run_tests(python(f"print('1 passed', flush=True); {ending}"), 30, lambda _: None)
    assert (told["verdict"], told["exit_code"], told["ended"], told["last"]) == (verdict, code, status, ["1 passed"])


def test_secrets_are_not_kept() -> None:
    words = "print('connecting to postgresql://u:hunter2@db/x with token=hunter2', flush=True)"
    told = run_tests(f"env PGPASSWORD=hunter2 {python(words)}", 30, lambda _: None)
    assert told["last"] == ["connecting to ... with token=..."]
    assert told["command"].startswith("env PGPASSWORD=... ")
    assert "hunter2" not in str(told)
    with pytest.raises(CouldNotRun) as raised:
        run_tests("PGPASSWORD=hunter2 pytest", 30, lambda _: None)
    assert "hunter2" not in str(raised.value)


def test_all_is_echoed_and_the_end_is_kept() -> None:
    heard: list[str] = []
    told = run_tests(python(f"for n in range({LINES_KEPT + 9}): print(n, 'x' * 999)"), 30, heard.append)
    assert len(heard) == LINES_KEPT + 9
    assert [line.split()[0] for line in told["last"]] == [str(n) for n in range(9, LINES_KEPT + 9)]
    assert max(map(len, told["last"])) == 500


def test_too_slow_is_no_pass_and_leaves_nothing(tmp_path: Path) -> None:
    kept = tmp_path / "pid"
    text = f"import subprocess, time, pathlib; p = subprocess.Popen(['sleep', '60']); pathlib.Path({str(kept)!r}).write_text(str(p.pid)); time.sleep(60)"  # noqa: E501
    with pytest.raises(CouldNotRun, match=r"did not end within 1 s.*\[tests-too-slow\]"):
        run_tests(python(text), 1.0, lambda _: None)
    for _ in range(50):
        if not Path(f"/proc/{kept.read_text()}").exists() or _is_zombie(int(kept.read_text())):
            break
        time.sleep(0.1)
    else:
        pytest.fail("the tests' own child is still there")


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("command", ["no-such-command-here", "'unbalanced"])
def test_what_cannot_be_started(command: str) -> None:
    with pytest.raises(CouldNotRun, match="cannot be started"):
        run_tests(command, 5, lambda _: None)
