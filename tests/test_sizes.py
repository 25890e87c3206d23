"""The sizes of the tests: which profile asks for more, and that what is begun first is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from harness.profiles import load_profile
from tests.conftest import LONG
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
