"""The verdict on one function from its paired rounds: slower, no slowdown, or that nobody can tell.

Each figure's increase is the median of the logarithms of (candidate / base) over the pairs, with limits that hold at
every look (``harness.stats.paired``). *Slower* means that all of the interval is above the figure's limit, *no
slowdown* that all of it is below. Over all functions and figures of a run together, a false *slower* has a chance of at
most ``ALPHA``, and so has a false *no slowdown*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf, log, log1p

from harness.compare.figure import FIGURES, Figure
from harness.stats.paired import Interval, interval

ALPHA = 0.02
"""Of a whole run: the chance of one false *slower* or more, and of one false *no slowdown* or more."""


class Word(StrEnum):
    """What is said of a figure, a function and a run."""

    SLOWER = "slower"
    NO_SLOWDOWN = "no_slowdown"
    CANNOT_TELL = "cannot_tell"
    NOT_MEASURED = "not_measured"


Measures = Mapping[str, float | None]
"""Figure to what one side measured in a round, per call; None where it did not."""

Round = Mapping[str, Measures]
"""base, candidate and control to what each measured at the same moment, of a call or of a whole round."""


@dataclass(frozen=True, slots=True)
class Alphas:
    """``slower`` is of one figure of one function; ``fine`` of one function, of which every figure must be fine."""

    slower: float
    fine: float


def shared(functions: int, figures: Sequence[Figure] = FIGURES) -> Alphas:
    """Each function's share of ``ALPHA`` (Bonferroni)."""
    return Alphas(ALPHA / (max(functions, 1) * len(figures)), ALPHA / max(functions, 1))


@dataclass(frozen=True, slots=True)
class FigureVerdict:
    """``increase`` of the candidate over the base and ``noise`` of the base over itself, both logarithms of ratios.

    ``off``: the base differs from itself by more than the limit, so that nothing can be told.
    """

    figure: Figure
    word: Word
    increase: Interval | None
    noise: Interval | None
    off: bool
    faster: bool


@dataclass(frozen=True, slots=True)
class FunctionVerdict:
    """``figures`` in the order in which they were asked for."""

    word: Word
    figures: tuple[FigureVerdict, ...]

    @property
    def faster(self) -> bool:
        """Not slower in anything, and faster in something."""
        return self.word is Word.NO_SLOWDOWN and any(each.faster for each in self.figures)


def judge(rounds: Sequence[Round], alphas: Alphas, figures: Sequence[Figure] = FIGURES) -> FunctionVerdict:
    """The verdict after these rounds, to be asked for as often as one likes."""
    judged = tuple(judge_figure(figure, rounds, alphas) for figure in figures)
    words = {each.word for each in judged} - {Word.NOT_MEASURED}
    if Word.SLOWER in words:
        return FunctionVerdict(Word.SLOWER, judged)
    if not words:
        return FunctionVerdict(Word.NOT_MEASURED, judged)
    return FunctionVerdict(Word.CANNOT_TELL if Word.CANNOT_TELL in words else Word.NO_SLOWDOWN, judged)


def judge_figure(figure: Figure, rounds: Sequence[Round], alphas: Alphas) -> FigureVerdict:
    """The verdict on one figure."""
    increases = differences(figure.id, rounds, "candidate")
    if not increases:
        return FigureVerdict(figure, Word.NOT_MEASURED, None, None, off=False, faster=False)
    increase = interval(increases, alphas.slower, alphas.fine)
    against_itself = differences(figure.id, rounds, "control")
    noise = interval(against_itself, alphas.slower, alphas.slower) if against_itself else None
    limit = log1p(figure.limit)
    off = noise is not None and (noise.lower > limit or noise.upper < -limit)
    word = Word.CANNOT_TELL
    if not off:
        word = Word.SLOWER if increase.lower > limit else Word.NO_SLOWDOWN if increase.upper < limit else word
    return FigureVerdict(figure, word, increase, noise, off, faster=not off and increase.upper < -limit)


def differences(figure: str, rounds: Sequence[Round], side: str) -> list[float]:
    """The logarithm of (that side / base) in every round in which both measured the figure."""
    pairs = [(each["base"].get(figure), each[side].get(figure)) for each in rounds if side in each]
    return [log_ratio(other, base) for base, other in pairs if base is not None and other is not None]


def log_ratio(other: float, base: float) -> float:
    """Nothing is as much as nothing; something is infinitely more."""
    if other == base:
        return 0.0
    if not base or not other:
        return inf if other else -inf
    return log(other / base)
