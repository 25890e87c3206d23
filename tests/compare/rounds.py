"""Rounds as they are measured, made up."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from harness.compare.verdict import Round

USUAL = {"cpu": 300_000.0, "p50": 400_000.0, "buffers": 60.0, "wal": 1400.0}
"""Nanoseconds, pages, bytes."""


def rounds(
    count: int,
    factors: Mapping[str, float] | None = None,
    *,
    seed: int = 0,
    noise: float = 0.03,
    control: float = 1.0,
    **more: float,
) -> list[Round]:
    """So many rounds; the candidate has the usual figures times its factor, the control all of them times its own.

    Processor time and latency are noisy on every side.
    """
    random, others = Random(seed), {**(factors or {}), **more}

    def side(name: str) -> dict[str, float | None]:
        of = others if name == "candidate" else dict.fromkeys(USUAL, control if name == "control" else 1.0)
        return {
            figure: value * of.get(figure, 1.0) * (1 + abs(random.gauss(0, noise)) * (figure in ("cpu", "p50")))
            for figure, value in USUAL.items()
        }

    return [{name: side(name) for name in ("base", "candidate", "control")} for _ in range(count)]
