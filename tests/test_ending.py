"""What waits for its end hears of it, also where a shell has told it to hear nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.doors.ending import ending
from tests.verify.command import IN_BACKGROUND, LONG_S, environment

PROGRAM = """
from time import sleep
from harness.doors.ending import LOOK_EVERY_S, ending
with ending() as ended:
    print("ready", flush=True)
    while not ended.is_set():
        sleep(LOOK_EVERY_S)
print("ended")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_of_the_background_hears_of_its_end(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        [*IN_BACKGROUND, sys.executable, "-c", PROGRAM], env=environment(tmp_path), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            assert process.communicate(timeout=LONG_S)[0] == "ended\n"
            assert process.returncode == 0
        finally:
            process.kill()


def test_what_was_there_before_comes_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with ending() as ended:
        assert not ended.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert ended.wait(LONG_S)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
