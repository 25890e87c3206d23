"""One browser for all these tests of a worker, and pages opened in it from files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.browser.chromium import chromium, complaints, missing, sized

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def one_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    if why := missing():
        pytest.skip(why)
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def browser(one_browser: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """A Chromium of 1280 pixels that likes it light; whatever it complains of fails the test."""
    sized(one_browser, 1280)
    yield one_browser
    assert complaints(one_browser) == []


@pytest.fixture
def opened(browser: webdriver.Chrome, tmp_path: Path) -> Callable[..., str]:
    """A function that opens a page, given as text, from a file; with ``at`` at that fragment. Returns the address."""

    def open_page(text: str, at: str = "") -> str:
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        address = path.as_uri() + (f"#{at}" if at else "")
        browser.get("about:blank")  # or a page that differs in its fragment alone would not be loaded again
        browser.get(address)
        return address

    return open_page
