"""A subject of one correct function, small enough to be explored to the end, scenarios for it, and how to spoil it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from harness.marketplace.scenario import Scenario, load_scenarios
from harness.marketplace.subject import Subject, load_subject
from harness.resources import bundled

FOLDER = Path(__file__).parent / "subject"
SCENARIOS = Path(__file__).parent / "scenarios"

FIRST = "  SELECT * INTO wanted"
"""The first statement of the function ``buy``."""


def spoilt(directory: Path, changes: Mapping[str, str], file: str = "stall.sql") -> Path:
    """A copy of the subject's folder with some texts of one file exchanged."""
    folder = directory / "stall"
    shutil.copytree(FOLDER, folder)
    text = (folder / file).read_text()
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / file).write_text(text)
    return folder


def subject(folder: Path = FOLDER) -> Subject:
    return load_subject(str(folder), bundled("sql"))


def scenario(name: str) -> Scenario:
    return load_scenarios(SCENARIOS)[f"stall-{name}"]
