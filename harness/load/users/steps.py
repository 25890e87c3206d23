"""Load that grows until it has no effect: Locust's ``LoadTestShape`` of a search for saturation."""

from __future__ import annotations

import json
from pathlib import Path
from time import monotonic

from locust import LoadTestShape

USERS_FIRST = 2
GAIN_MIN = 0.1
"""A step that brings less than this share more than the best before it is the last but one: two such end the run."""


class Saturation(LoadTestShape):
    """Doubles the users every ``--step-time`` until two steps in turn have gained nothing, or ``--users`` are there.

    The steps are written to ``steps.json`` among the samples: users, begin and end, in seconds of CLOCK_MONOTONIC.
    """

    abstract = True
    use_common_options = True

    def __init__(self) -> None:
        super().__init__()
        self._steps: list[dict[str, float]] = []
        self._answers = 0
        self._best = 0.0
        self._idle = 0

    def tick(self) -> tuple[int, float] | None:
        """What Locust asks every second."""
        assert self.runner is not None
        options = self.runner.environment.parsed_options
        assert options is not None
        step_s = options.step_time
        now = monotonic()
        if not self._steps:
            return self._begin(USERS_FIRST)
        current = self._steps[-1]
        if now - current["begin"] < step_s:
            return int(current["users"]), 1000
        answers = self.runner.stats.total.num_requests
        rate = (answers - self._answers) / (now - current["begin"])
        self._idle = 0 if rate > self._best * (1 + GAIN_MIN) else self._idle + 1
        self._best = max(self._best, rate)
        current["end"] = now
        self._answers = answers
        most = options.num_users or 256
        if self._idle == 2 or current["users"] >= most:
            (Path(options.samples) / "steps.json").write_text(json.dumps(self._steps), encoding="utf-8")
            return None
        return self._begin(min(most, int(current["users"]) * 2))

    def _begin(self, users: int) -> tuple[int, float]:
        self._steps.append({"users": users, "begin": monotonic(), "end": monotonic()})
        return users, 1000
