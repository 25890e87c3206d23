"""Progress: a bar on a terminal, a line now and then in a log, and no thread."""

from __future__ import annotations

import io
import threading

import pytest

from harness.report.progress import LINE_EVERY_S, Progress


class Clock:
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_log_gets_a_line_now_and_then(clock: Clock) -> None:
    log = io.StringIO()
    with Progress(log, ["one", "two", "three"], 60.0, None, clock) as progress:
        for tick in range(20):
            clock.now += 1
            progress.update("one" if tick % 2 else "two", tick * 10, 0)
    lines = log.getvalue().splitlines()
    assert lines[0] == "3 scenarios, at most 60 s"
    assert len(lines) == 1 + 20 // int(LINE_EVERY_S)
    assert lines[1] == "5.0 s: 70 schedules, 2 of 3 scenarios"
    assert not {"\r", "\x1b", "\xa0"} & set(log.getvalue())


@pytest.mark.parametrize(
    ("seconds", "schedules", "said"),
    [(60.0, None, "at most 60 s"), (None, 500, "at most 500 schedules"), (None, None, "until all is explored")],
)
def test_the_limit_is_told(clock: Clock, seconds: float | None, schedules: int | None, said: str) -> None:
    log = io.StringIO()
    with Progress(log, ["one"], seconds, schedules, clock):
        pass
    assert log.getvalue() == f"1 scenario, {said}\n"


def test_what_is_broken_is_told_at_once_with_the_rest(clock: Clock) -> None:
    log = io.StringIO()
    with Progress(log, ["one", "two"], 60.0, None, clock) as progress:
        progress.update("one", 4, 2)
        clock.now += 61
        progress.update("two", 1, 0)
    last = log.getvalue().splitlines()[-1]
    assert last == "61 s: 5 schedules, 2 of 2 scenarios, 1 broken, making the report"


def test_an_interrupt_is_told(clock: Clock) -> None:
    log = io.StringIO()
    with Progress(log, ["one"], 60.0, None, clock) as progress:
        progress.interrupted()
        clock.now += 10
        progress.update("one", 4, 0)
    assert log.getvalue().splitlines()[1].startswith("interrupted:")
    assert log.getvalue().splitlines()[2].endswith("interrupted, making the report")


@pytest.mark.parametrize(("seconds", "schedules"), [(10.0, None), (None, 80), (None, None)])
def test_a_terminal_gets_a_bar_and_is_clean_afterwards(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, seconds: float | None, schedules: int | None
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    screen = Terminal()
    with Progress(screen, ["one", "two"], seconds, schedules, clock) as progress:
        clock.now += 5
        progress.update("one", 40, 1)
        progress.interrupted()
    text = screen.getvalue()
    assert "40 schedules, 1 of 2 scenarios, 1 broken" in text
    assert "interrupted, making the report" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is back
    assert "\x1b[2K" in text  # and the bar is wiped


def test_a_dumb_terminal_gets_lines(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    screen = Terminal()
    with Progress(screen, ["one"], 60.0, None, clock) as progress:
        clock.now += 6
        progress.update("one", 4, 0)
    assert "\x1b" not in screen.getvalue()
    assert "4 schedules" in screen.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_no_thread_is_started(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    before = set(threading.enumerate())

    def fail() -> None:
        with Progress(stream(), ["one"], 1.0, None) as progress:
            progress.update("one", 1, 0)
            assert set(threading.enumerate()) == before
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert set(threading.enumerate()) == before
