"""The page of a verification, as a reader has it before them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from harness.report.html import html
from tests.browser.chromium import WIDTHS, layout_faults, screenshot, sized
from tests.report.documents import NAMES, document


@pytest.mark.parametrize("name", NAMES)
def test_every_page_fits_every_window(name: str, browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(document(name)))
    for width in WIDTHS:
        for dark in (True, False):
            sized(browser, width, dark=dark)
            assert layout_faults(browser) == []
            screenshot(browser, f"{name}-dark" if dark else name)


def test_scenarios_are_filtered_and_sorted(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(document("violated_two")))

    def shown() -> list[str]:
        rows = browser.find_elements(By.CSS_SELECTOR, "#scenarios tbody tr")
        return [row.find_element(By.TAG_NAME, "td").text.split("\n")[0] for row in rows if row.is_displayed()]

    everything = shown()
    field = browser.find_element(By.CSS_SELECTOR, "#scenarios input")
    field.send_keys("one-lead")
    assert shown() == [name for name in everything if "one-lead" in name] != everything
    field.send_keys(Keys.BACKSPACE * len("one-lead"))
    browser.find_element(By.CSS_SELECTOR, "#scenarios th button").click()
    assert shown() == sorted(everything)
