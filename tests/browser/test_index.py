"""The page of all past runs, as a reader has it before them."""

from __future__ import annotations

from collections.abc import Callable

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from harness.report.html.index import index_page
from tests.browser.chromium import looked_at
from tests.report.test_index_page import runs


def test_it_fits_every_window_and_is_filtered(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(index_page(runs()))
    assert looked_at(browser, "index") == []

    def shown() -> int:
        return sum(row.is_displayed() for row in browser.find_elements(By.CSS_SELECTOR, "#runs tbody tr"))

    command, verdict = browser.find_elements(By.CSS_SELECTOR, "#runs select")
    Select(command).select_by_visible_text("verify")
    assert shown() == 5
    Select(verdict).select_by_visible_text("VIOLATED")
    assert shown() == 1
