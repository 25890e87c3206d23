"""Processes are put on one core, or it is said that they are not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.db.pinning import choose_core, pin

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: only Linux pins processes")


@linux_only
def test_the_cores_that_we_may_use_are_dealt_out_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    cores = sorted(os.sched_getaffinity(0))
    assert [choose_core(index) for index in range(2 * len(cores))] == cores * 2


@linux_only
def test_workers_of_the_tests_begin_with_cores_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7})
    chosen = []
    for worker in ("gw0", "gw1", "gw4"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        chosen.append([choose_core(index) for index in range(3)])
    assert chosen == [[3, 5, 7], [5, 7, 3], [5, 7, 3]]


@linux_only
def test_a_process_is_pinned() -> None:
    core = choose_core(0)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert pin([process.pid], core)
        assert os.sched_getaffinity(process.pid) == {core}
        process.communicate(b"\n")


@linux_only
def test_a_process_that_is_gone_is_not() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert not pin([process.pid], choose_core(0))


@linux_only
def test_a_core_that_is_not_there_pins_nothing() -> None:
    before = os.sched_getaffinity(0)
    assert not pin([0], 100_000)
    assert os.sched_getaffinity(0) == before


def test_where_nothing_can_be_pinned_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not pin([0], 0)
    assert choose_core(5) in range(os.cpu_count() or 1)
