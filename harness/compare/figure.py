"""What is measured of a call, and how much more of it makes a function slower."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """``limit`` is the least increase that counts, as a share."""

    id: str
    title: str
    unit: str
    limit: float


FIGURES = (
    Figure("cpu", "CPU", "microseconds", 0.05),
    Figure("p50", "p50", "microseconds", 0.05),
    Figure("buffers", "buffers", "pages", 0.02),
    Figure("wal", "WAL", "bytes", 0.02),
)
"""Those that decide. Processor time is less noisy than a latency, and pages and bytes hardly vary at all."""
