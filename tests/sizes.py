"""How much the long tests run: enough to fail on what they look for, and far more every night (``make nightly``)."""

from __future__ import annotations

import hypothesis

from harness.profiles import PREFIX


def sized(usual: int, nightly: int) -> int:
    """``usual``, or ``nightly`` when the tests run with ``--harness-profile=nightly``."""
    return nightly if hypothesis.settings.get_current_profile_name() == f"{PREFIX}nightly" else usual
