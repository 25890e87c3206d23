"""The tester tested: a page that does not fit or that complains is found out, and a missing browser is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from selenium import webdriver

from tests.browser.chromium import complaints, layout_faults, missing, sized

WRONG = {
    "a wide box": '<div style="width: 1600px">wide</div>',
    "a word that leaves its box": f'<div style="width: 60px">{"long" * 9}</div>',
    "a word that is cut": f'<div style="width: 60px; overflow: hidden">{"long" * 9}</div>',
    "a box left of the window": '<div style="margin-left: -20px; width: 90px">left</div>',
}
RIGHT = {
    "a wide table in a box that scrolls": '<div style="overflow: auto"><div style="width: 1600px">wide</div></div>',
    "an ellipsis": f'<div style="width: 60px; overflow: hidden; text-overflow: ellipsis">{"long" * 9}</div>',
    "what is hidden": '<div hidden style="width: 1600px">wide</div>',
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_found(case: str, browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(f"<!doctype html><body>{WRONG[case]}")
    assert layout_faults(browser)


@pytest.mark.parametrize("case", RIGHT)
def test_what_fits_is_not(case: str, browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(f"<!doctype html><body>{RIGHT[case]}")
    assert layout_faults(browser) == []


def test_the_console_is_heard(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened("<!doctype html><script>missing()</script><img src=nowhere.png>")
    assert [text for text in complaints(browser) if "missing is not defined" in text]


def test_the_window_has_the_size_and_the_colours_that_are_asked_for(
    browser: webdriver.Chrome, opened: Callable[..., str]
) -> None:
    opened("<!doctype html>")
    for width, dark in ((380, True), (1920, False)):
        sized(browser, width, dark=dark)
        seen = browser.execute_script("return [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]")
        assert seen == [width, dark]


def test_no_browser_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert missing().startswith("NOT RUN: no chromium and no chromedriver")
