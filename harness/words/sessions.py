"""Sentences that number sessions, with the names of the sessions instead."""

from __future__ import annotations

import re
from collections.abc import Sequence


def sentence(text: str, sessions: Sequence[str]) -> str:
    """A reason with the sessions by their names, as the lanes have them, instead of their numbers."""

    def name(found: re.Match[str]) -> str:
        number = int(found[1])
        return f"session {sessions[number]}" if number < len(sessions) else found[0]

    return re.sub(r"\bsession (\d+)\b", name, text)
