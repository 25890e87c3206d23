"""The page of a gate fits every window, and shows the run and the place that is to blame."""

from __future__ import annotations

from collections.abc import Callable

from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.browser.chromium import looked_at
from tests.browser.pages import PAGES
from tests.gate.test_summary import FILE


def test_a_gate(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(PAGES["gate"]())
    assert looked_at(browser, "gate") == []
    again = browser.find_elements(By.CSS_SELECTOR, "#look .command")
    assert again
    for command in again:  # in one piece, with its button
        assert command.find_element(By.TAG_NAME, "code").text.startswith("harness ")
        assert command.find_element(By.TAG_NAME, "button").is_displayed()
        assert command.size["height"] < 80
    rows = browser.find_elements(By.CSS_SELECTOR, "#parts tbody tr")
    assert [row.text.split()[0] for row in rows] == ["tests", "verify", "faults", "load", "compare"]
    assert f"{FILE}:233" in browser.find_element(By.ID, "look").text
    assert "touched by the change" in browser.find_element(By.ID, "look").text
    assert "+  WHERE p.id = p_purchase_id;" in browser.find_element(By.ID, "changes").text
    assert "E assert 1 == 2" in browser.find_element(By.ID, "said-tests").text
