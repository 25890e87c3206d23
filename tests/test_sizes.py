"""The sizes of the tests: which profile asks for more, and that what is begun first is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest

from harness.profiles import load_profile
from tests.conftest import LONG, pytest_collection_modifyitems
from tests.sizes import sized


@pytest.fixture(autouse=True)
def same_profile_after() -> Iterator[None]:
    before = hypothesis.settings.get_current_profile_name()
    yield
    hypothesis.settings.load_profile(before)


@pytest.mark.parametrize(("profile", "size"), [("ci", 3), ("dev", 3), ("nightly", 1000)])
def test_the_profile_says_how_much(profile: str, size: int, tmp_path: Path) -> None:
    load_profile(profile, tmp_path)
    assert sized(3, 1000) == size


def test_what_is_begun_first_is_there() -> None:
    texts = "".join(path.read_text() for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name in LONG if f"\ndef {name}(" not in texts] == []


class Item:
    """As much of a collected test as the hook looks at."""

    def __init__(self, name: str, deselected: list[str], mark: str = "") -> None:
        self.originalname, self._mark = name, mark
        self.config = SimpleNamespace(
            hook=SimpleNamespace(pytest_deselected=lambda items: deselected.extend(each.originalname for each in items))
        )

    def get_closest_marker(self, name: str) -> str | None:
        return self._mark if name == self._mark else None


@pytest.mark.parametrize(("profile", "runs"), [("ci", ["test_any"]), ("nightly", ["test_any", "test_long"])])
def test_what_runs_by_night_is_deselected_by_day(profile: str, runs: list[str], tmp_path: Path) -> None:
    load_profile(profile, tmp_path)
    told: list[str] = []
    items: list[Any] = [Item("test_any", told), Item("test_long", told, "nightly")]
    pytest_collection_modifyitems(items)
    assert [each.originalname for each in items] == runs
    assert told == ([] if "test_long" in runs else ["test_long"])
