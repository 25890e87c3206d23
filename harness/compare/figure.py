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


CPU = Figure("cpu", "CPU", "microseconds", 0.05)
P50 = Figure("p50", "p50", "microseconds", 0.05)
BUFFERS = Figure("buffers", "buffers", "pages", 0.02)
WAL = Figure("wal", "WAL", "bytes", 0.02)

FIGURES = (CPU, P50, BUFFERS, WAL)
"""Those that decide on a function. Processor time is less noisy than a latency; pages and bytes hardly vary at all."""
API_FIGURES = (CPU, Figure("api_cpu", "API CPU", "microseconds", 0.05), P50, BUFFERS, WAL)
"""On a request to the purchase API: ``cpu`` is its backend's processor time, ``api_cpu`` the API's own."""
P90 = Figure("p90", "p90", "microseconds", 0.10)
LOAD_FIGURES = (P50, P90, Figure("pace", "time per request", "microseconds", 0.05))
"""On a whole load run. ``pace`` is its seconds over its requests: with so many users who never rest, throughput."""
