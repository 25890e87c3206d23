"""Processes that are kept on one core, and let go again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from harness.compare.core import on_one_core

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux keeps processes on cores")


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    with ExitStack() as exits:
        started = []
        for _ in range(2):
            each = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            exits.callback(each.wait)
            exits.callback(each.kill)
            started.append(each)
        yield started


def test_they_share_a_core_and_are_let_go(processes: list[subprocess.Popen[bytes]]) -> None:
    pids = [each.pid for each in processes]
    before = [os.sched_getaffinity(pid) for pid in pids]
    with on_one_core(pids) as kept:
        during = [os.sched_getaffinity(pid) for pid in pids]
        assert kept is (len(before[0]) > 1)
        if kept:
            assert during[0] == during[1]
            assert len(during[0]) == 1
    assert [os.sched_getaffinity(pid) for pid in pids] == before


def test_of_one_core_there_is_nothing_to_choose(processes: list[subprocess.Popen[bytes]]) -> None:
    pids = [each.pid for each in processes]
    only = {min(os.sched_getaffinity(pids[0]))}
    os.sched_setaffinity(pids[0], only)
    with on_one_core(pids) as kept:
        assert not kept
    assert os.sched_getaffinity(pids[0]) == only


def test_a_process_that_has_ended_is_no_trouble(processes: list[subprocess.Popen[bytes]]) -> None:
    first, second = processes
    before = os.sched_getaffinity(first.pid)
    with on_one_core([first.pid, second.pid]):
        second.kill()
        second.wait()
    assert os.sched_getaffinity(first.pid) == before
    with on_one_core([first.pid, second.pid]) as kept:
        assert not kept
    with on_one_core([]) as kept:
        assert not kept


def test_none_is_kept_where_one_cannot_be(
    processes: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (each.pid for each in processes)
    before, allow = os.sched_getaffinity(first), os.sched_setaffinity

    def refused(pid: int, cores: set[int]) -> None:
        if pid == second:
            raise PermissionError
        allow(pid, cores)

    monkeypatch.setattr(os, "sched_setaffinity", refused)
    with on_one_core([first, second]) as kept:
        assert not kept
        assert os.sched_getaffinity(first) == before
