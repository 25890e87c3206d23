"""Every view against the text that people have looked at and found good."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.report.documents import HERE, views


@pytest.mark.parametrize(("name", "view"), views(), ids=[name for name, _ in views()])
def test_gold(name: str, view: Callable[[], str]) -> None:
    assert view() + "\n" == (HERE / "gold" / name).read_text(encoding="utf-8")


def test_every_gold_file_is_compared() -> None:
    assert {path.name for path in (HERE / "gold").iterdir()} == {name for name, _ in views()}
