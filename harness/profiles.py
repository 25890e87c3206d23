"""Hypothesis profiles for runs of the harness: ``harness-ci``, ``harness-dev`` and ``harness-nightly``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
from hypothesis import core
from hypothesis.database import DirectoryBasedExampleDatabase

PREFIX = "harness-"


def load_profile(name: str, directory: Path) -> None:
    """Make ``name`` (ci, dev or nightly) Hypothesis's profile.

    ci keeps no examples: what a run draws depends on its seed alone. The others share what has failed in ``directory``.
    No profile has a deadline: a clock is no verdict.
    """
    examples = DirectoryBasedExampleDatabase(directory)
    settings = hypothesis.settings
    settings.register_profile(f"{PREFIX}ci", deadline=None, database=None, derandomize=False, print_blob=True)
    settings.register_profile(f"{PREFIX}dev", deadline=None, database=examples, derandomize=False, print_blob=True)
    settings.register_profile(
        f"{PREFIX}nightly",
        deadline=None,
        database=examples,
        derandomize=False,
        print_blob=True,
        max_examples=1000,
    )
    settings.load_profile(PREFIX + name)


@contextmanager
def drawing_from(seed: int) -> Iterator[None]:
    """Within it the tests of Hypothesis draw from ``seed``, unless they say ``@seed`` themselves."""
    before, core.global_force_seed = core.global_force_seed, seed  # type: ignore[assignment]
    try:
        yield
    finally:
        core.global_force_seed = before
