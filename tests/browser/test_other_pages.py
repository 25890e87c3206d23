"""The pages of a fault sweep, a model and a look at a live marketplace fit every window and say what they should."""

from __future__ import annotations

from collections.abc import Callable

from selenium import webdriver
from selenium.webdriver.common.by import By

from harness.report.html import html
from tests.browser.chromium import looked_at
from tests.browser.told import model, sweep
from tests.monitor.test_monitor_document import LEAD, looked


def test_a_fault_sweep(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(sweep()))
    assert looked_at(browser, "faults") == []
    browser.execute_script("document.querySelector('#matrix').scrollIntoView()")
    assert looked_at(browser, "faults-matrix", top="#matrix") == []
    table = browser.find_element(By.CLASS_NAME, "matrix")
    assert [each.text for each in table.find_elements(By.TAG_NAME, "th")][1:4] == ["cancel", "kill", "unsent"]
    first = table.find_elements(By.CSS_SELECTOR, "tbody tr:first-child td")
    assert [each.text for each in first] == ["✗2", "5", "6", "7", "·", "·", "·"]


def test_a_model(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(model()))
    assert looked_at(browser, "model") == []
    assert "sold-once, conservation" in browser.find_element(By.TAG_NAME, "h1").text
    assert "No single operation can be left out." in browser.find_element(By.TAG_NAME, "header").text


def test_a_look_at_a_marketplace(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(looked()))
    assert looked_at(browser, "monitor") == []
    rows = browser.find_elements(By.CSS_SELECTOR, "#metrics tbody tr")
    assert len(rows) == 5
    assert LEAD in browser.find_element(By.ID, "leads").text
