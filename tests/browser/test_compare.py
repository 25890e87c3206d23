"""The page of a comparison in a browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from harness.report.html import html
from tests.browser.chromium import WIDTHS, layout_faults, screenshot, sized
from tests.report.test_compare_page import NAMES, document


@pytest.mark.parametrize("name", NAMES)
def test_every_page_fits_every_window(name: str, browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(document(name)))
    for width in WIDTHS:
        for dark in (True, False):
            sized(browser, width, dark=dark)
            assert layout_faults(browser) == []
            screenshot(browser, f"{name.replace('_', '-')}{'-dark' if dark else ''}")
    axis = browser.find_element(By.CSS_SELECTOR, ".forest .ticks").rect
    drawing = browser.find_element(By.CSS_SELECTOR, ".forest .spark").rect
    # What is drawn stands below the words of its axis.
    assert (axis["x"], axis["width"]) == (drawing["x"], drawing["width"])
