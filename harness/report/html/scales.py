"""Axes of a chart: where a value stands between 0 and 1, at which values it is told, and in what words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, isfinite, log10

_STEPS = (1, 2, 5)
TICKS_MAX = 6
CLOCK_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


def number(value: float) -> str:
    """Three digits that say something, and a letter for thousands and more."""
    size = abs(value)
    for letter, unit in (("G", 1e9), ("M", 1e6), ("k", 1e4)):
        if size >= unit:
            unit = 1e3 if letter == "k" else unit
            return f"{value / unit:.3g} {letter}" if size < 1e12 else f"{value:.1e}"
    return f"{value:,.0f}" if size >= 1000 else f"{value:.3g}"


def time(milliseconds: float) -> str:
    """With its unit: microseconds to minutes."""
    for unit, size in (("min", 60_000.0), ("s", 1000.0), ("ms", 1.0)):
        if milliseconds >= (2 * size if unit == "min" else size):
            return f"{number(milliseconds / size)} {unit}"
    return f"{number(milliseconds * 1000)} µs" if milliseconds else "0 ms"


def clock(seconds: float) -> str:
    """A moment of a run: in seconds, from two minutes on in minutes, from two hours on in hours."""
    if seconds < 120:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes}:{rest:02} min"
    return f"{minutes // 60}:{minutes % 60:02} h"


def percent(share: float) -> str:
    """Of a share."""
    return f"{share * 100:.3g} %"


@dataclass(frozen=True, slots=True)
class Scale:
    """From ``low`` to ``high``, which differ. ``ticks`` are the values that are told, by ``words``."""

    low: float
    high: float
    ticks: Sequence[float]
    words: Callable[[float], str] = number
    curve: Callable[[float], float] = field(default=float)
    """What is even on the axis: the value itself, or its logarithm."""

    def at(self, value: float) -> float:
        """Where it stands; what lies outside, at the end that is nearer."""
        low, high = self.curve(self.low), self.curve(self.high)
        return min(1.0, max(0.0, (self.curve(value) - low) / (high - low)))


def linear(values: Iterable[float], words: Callable[[float], str] = number, *, least: float = 0.0) -> Scale:
    """From ``least`` to the round number above the greatest value."""
    most = max((value for value in values if isfinite(value)), default=least)
    if most <= least:
        most = least + 1
    step = _round_step((most - least) / (TICKS_MAX - 1))
    number_of_steps = max(1, ceil((most - least) / step - 1e-9))
    return Scale(least, least + number_of_steps * step, _multiples(least, step, number_of_steps), words)


def logarithmic(values: Iterable[float], words: Callable[[float], str] = time) -> Scale:
    """Between round numbers (1, 2, 5, 10 ...) around all values; what is not above zero stands at the lower end."""
    known = [value for value in values if value > 0 and isfinite(value)] or [1.0]
    low, high = _round_below(min(known)), _round_above(max(known))
    if high <= low * (1 + 1e-9):
        high = _round_above(low * 1.5)
    return Scale(low, high, _log_ticks(low, high), words, lambda value: log10(max(low, value)))


def moments(seconds: float) -> Scale:
    """The time of a run, from 0 to its end."""
    end = seconds if seconds > 0 else 1.0
    step = next((step for step in CLOCK_S if end / step <= TICKS_MAX), ceil(end / TICKS_MAX / 86400) * 86400)
    return Scale(0.0, end, _multiples(0.0, step, int(end / step + 1e-9)), clock)


def nines(share_max: float) -> Scale:
    """Shares of 1 such that 0.9, 0.99 and 0.999 are equally far apart; 1 itself stands where its rank does."""
    decades = max(1, ceil(-log10(max(1e-9, 1 - share_max)) - 1e-9))
    end = 1 - 10.0**-decades
    ticks = [0.5, *(1 - 10.0**-place for place in range(1, decades + 1))]
    return Scale(0.0, end, ticks, _as_percentile, lambda share: -log10(max(10.0**-decades, 1 - share)))


def doubling(values: Sequence[float]) -> Scale:
    """Each of these values is told, and twice as much is always equally far."""
    low, high = min(values), max(values)
    if high <= low:
        low, high = low / 2, low * 2
    return Scale(low, high, sorted(set(values)), number, lambda value: log10(max(low, value)))


def ratios(bounds: Iterable[float], least: float = 0.1) -> Scale:
    """Ratios around 1 such that twice and half are equally far; at least from 1 - ``least`` to 1 + ``least``."""
    reach = max([1 + least, *(max(bound, 1 / bound) for bound in bounds if bound > 0 and isfinite(bound))])
    tick = max((tick for tick in (0.05, 0.1, 0.25, 0.5, 0.9) if 1 - tick >= 1 / reach), default=0.05)
    return Scale(1 / reach, reach, (1 - tick, 1.0, 1 + tick), _as_change, lambda ratio: log10(max(1e-12, ratio)))


def _as_percentile(share: float) -> str:
    return "least" if share == 0 else f"p{share * 100:.10g}"


def _as_change(ratio: float) -> str:
    return "same" if ratio == 1 else f"{(ratio - 1) * 100:+.0f} %".replace("-", "\N{MINUS SIGN}")


def _round_step(step: float) -> float:
    power = 10.0 ** floor(log10(step))
    return next(power * factor for factor in (*_STEPS, 10) if power * factor >= step * (1 - 1e-9))


def _round_above(value: float) -> float:
    return _round_step(value)


def _round_below(value: float) -> float:
    power = 10.0 ** floor(log10(value))
    return max(power * factor for factor in _STEPS if power * factor <= value * (1 + 1e-9))


def _multiples(least: float, step: float, steps: int) -> list[float]:
    return [round(least + place * step, 12) if step < 1e6 else least + place * step for place in range(steps + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = floor(log10(low) + 1e-9), ceil(log10(high) - 1e-9)
    fine = [10.0**power * factor for power in range(first, last + 1) for factor in _STEPS]
    for ticks in (fine, [10.0**power for power in range(first, last + 1)]):
        inside = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if 2 <= len(inside) <= TICKS_MAX:
            return inside
    every = ceil((last - first + 1) / TICKS_MAX)
    return [
        10.0**power
        for power in range(first, last + 1, every)
        if low <= 10.0**power * (1 + 1e-9) and 10.0**power <= high
    ]
