"""Signals that unwind a process: also where Python would swallow what they raise."""

import os
import signal
import sys
import time
from typing import Any

import pytest

from harness.unwinding import unwinding


def test_a_signal_ends_with_the_exit_code_of_a_shell() -> None:
    with pytest.raises(SystemExit) as ended:
        struck()
    assert ended.value.code == 128 + signal.SIGTERM


@unwinding(signal.SIGTERM)
def struck() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with unwinding(signal.SIGHUP):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


class Dying:
    """Is struck while it is being destroyed."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_in_a_destructor_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    hook = sys.unraisablehook
    with pytest.raises(SystemExit) as ended:
        struck_in_a_destructor()
    assert ended.value.code == 128 + signal.SIGTERM
    assert capfd.readouterr().err == ""
    assert sys.unraisablehook is hook


@unwinding(signal.SIGTERM)
def struck_in_a_destructor() -> None:
    Dying()
    time.sleep(5)


class Wrong:
    """Has a mistake of its own."""

    def __del__(self) -> None:
        raise ValueError("a mistake")


def test_another_mistake_in_a_destructor_is_told_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: told.append(what.exc_value))
    with unwinding(signal.SIGTERM):
        Wrong()
    assert [str(each) for each in told] == ["a mistake"]
