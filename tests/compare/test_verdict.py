"""Slower, no slowdown, can't tell: what is said of rounds whose truth is known."""

from __future__ import annotations

from math import inf, log

import pytest

from harness.compare.verdict import Word, differences, judge, log_ratio, shared
from tests.compare.rounds import rounds

ALPHAS = shared(13)


def test_equal_versions_have_no_slowdown() -> None:
    verdict = judge(rounds(60), ALPHAS)
    assert verdict.word is Word.NO_SLOWDOWN
    assert not verdict.faster
    assert {each.word for each in verdict.figures} == {Word.NO_SLOWDOWN}


@pytest.mark.parametrize(
    ("figure", "factor"), [("cpu", 1.10), ("p50", 1.10), ("buffers", 1.04), ("wal", 1.03)], ids=lambda value: str(value)
)
def test_one_figure_that_is_worse_makes_it_slower(figure: str, factor: float) -> None:
    verdict = judge(rounds(80, {figure: factor}), ALPHAS)
    assert verdict.word is Word.SLOWER
    assert [each.figure.id for each in verdict.figures if each.word is Word.SLOWER] == [figure]


@pytest.mark.parametrize(("figure", "factor"), [("buffers", 1.015), ("wal", 1.019), ("cpu", 1.02)])
def test_less_than_the_limit_is_no_slowdown(figure: str, factor: float) -> None:
    assert judge(rounds(150, {figure: factor}), ALPHAS).word is Word.NO_SLOWDOWN


def test_few_rounds_tell_nothing_whatever_is_in_them() -> None:
    assert judge(rounds(10, buffers=3.0), ALPHAS).word is Word.CANNOT_TELL
    assert judge(rounds(16, buffers=3.0), ALPHAS).word is Word.SLOWER


def test_much_noise_is_not_mistaken_for_a_slowdown() -> None:
    assert judge(rounds(40, noise=0.6), ALPHAS).word is Word.CANNOT_TELL


def test_faster_is_a_remark() -> None:
    verdict = judge(rounds(80, cpu=0.8), ALPHAS)
    assert (verdict.word, verdict.faster) == (Word.NO_SLOWDOWN, True)
    assert not judge(rounds(80, cpu=0.8, buffers=1.1), ALPHAS).faster


def test_a_base_that_differs_from_itself_tells_nothing() -> None:
    verdict = judge(rounds(80, control=1.2, cpu=1.3), ALPHAS)
    assert verdict.word is Word.CANNOT_TELL
    assert all(each.off for each in verdict.figures)


def test_what_is_not_measured_does_not_decide() -> None:
    bare = [
        {side: {**measured, "cpu": None, "wal": None} for side, measured in each.items()}
        for each in rounds(60, cpu=2.0)
    ]
    verdict = judge(bare, ALPHAS)
    assert verdict.word is Word.NO_SLOWDOWN
    assert [each.word for each in verdict.figures] == [
        Word.NOT_MEASURED, Word.NO_SLOWDOWN, Word.NO_SLOWDOWN, Word.NOT_MEASURED,
    ]  # fmt: skip
    assert judge([], ALPHAS).word is Word.NOT_MEASURED


def test_something_is_infinitely_more_than_nothing() -> None:
    assert (log_ratio(0, 0), log_ratio(3, 0), log_ratio(0, 3), log_ratio(6, 3)) == (0.0, inf, -inf, log(2))
    new = [
        {side: {"wal": 54.0 if side == "candidate" else 0.0} for side in ("base", "candidate", "control")}
        for _ in range(20)
    ]
    assert judge(new, ALPHAS).word is Word.SLOWER
    assert differences("cpu", new, "candidate") == []


def test_the_share_of_a_figure_is_smaller_with_more_functions() -> None:
    assert shared(1).slower == pytest.approx(0.005)
    assert shared(13).slower == pytest.approx(0.02 / 52)
    assert shared(13).fine == pytest.approx(0.02 / 13)


def test_looking_at_every_round_calls_equal_versions_slower_in_none_of_a_hundred_runs() -> None:
    """A run of three functions, looked at after each of 60 rounds."""
    said = []
    for run in range(34):
        for function in range(3):
            seen = rounds(60, seed=run * 3 + function, noise=0.1)
            said += [judge(seen[:look], shared(3)).word for look in range(15, 61, 15)]
    assert Word.SLOWER not in said
