"""The page of a verification, as a reader has it before them: it fits, filters, prints, and believes no text."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from harness.report.html import html
from tests.browser.chromium import layout_faults, looked_at, printed, sized
from tests.browser.told import HOSTILE, hostile, three_sessions, two_buyers
from tests.report.documents import document


@pytest.mark.parametrize("at", ["", "run-1-step-13"])
def test_a_double_sale_fits_every_window(at: str, browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(two_buyers()), at)
    assert looked_at(browser, "verify-step" if at else "verify") == []


def test_a_deadlock_fits_every_window(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(three_sessions()), "run-2-step-5")
    assert looked_at(browser, "verify-deadlock") == []


@pytest.mark.parametrize("name", ["holds", "hang", "not_exercised"])
def test_a_page_without_a_run_fits_every_window(
    name: str, browser: webdriver.Chrome, opened: Callable[..., str]
) -> None:
    opened(html(document(name)))
    assert looked_at(browser, f"verify-{name.replace('_', '-')}") == []


def test_scenarios_are_filtered_and_sorted(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(document("violated_two")))

    def shown() -> list[str]:
        rows = browser.find_elements(By.CSS_SELECTOR, "#scenarios tbody tr")
        return [row.find_element(By.TAG_NAME, "td").text.split("\n")[0] for row in rows if row.is_displayed()]

    everything = shown()
    field = browser.find_element(By.CSS_SELECTOR, "#scenarios input")
    field.send_keys("one-lead")
    assert shown() == [name for name in everything if "one-lead" in name] != everything
    assert browser.find_element(By.CSS_SELECTOR, "#scenarios output").text == f"{len(shown())} of {len(everything)}"
    field.send_keys(Keys.BACKSPACE * len("one-lead"))
    verdict = Select(browser.find_element(By.CSS_SELECTOR, "#scenarios select"))
    verdict.select_by_visible_text("VIOLATED")
    violated = [each["name"] for each in document("violated_two")["scenarios"] if each["violated"]]
    assert shown() == violated != everything
    verdict.select_by_visible_text("any")
    head = browser.find_element(By.CSS_SELECTOR, "#scenarios th button")
    head.click()
    assert shown() == sorted(everything)
    head.click()
    assert shown() == sorted(everything, reverse=True)


def test_numbers_are_sorted_as_numbers(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(document("violated_two")))
    heads = browser.find_elements(By.CSS_SELECTOR, "#scenarios th button")
    next(head for head in heads if head.text == "schedules").click()
    cells = browser.find_elements(By.CSS_SELECTOR, "#scenarios tbody td:nth-child(5)")
    numbers = [int(cell.text.replace(",", "")) for cell in cells]
    assert numbers == sorted(each["schedules"] for each in document("violated_two")["scenarios"])


def test_texts_stay_texts(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(hostile(two_buyers())), "run-1-step-8")
    assert browser.execute_script("return [document.images.length, document.scripts.length]") == [0, 1]
    assert HOSTILE in browser.execute_script("return document.querySelector('.because').textContent")
    assert HOSTILE in browser.execute_script("return document.querySelector('.panel').textContent")
    for width in (380, 1280):
        sized(browser, width)
        assert layout_faults(browser) == []


def test_without_scripts_everything_is_there(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    bare, removed = re.subn(r"<script>.*?</script>", "", html(three_sessions()), flags=re.DOTALL)
    assert removed == 1
    opened(bare)
    assert looked_at(browser, "") == []
    seen = browser.find_element(By.TAG_NAME, "main").text
    for run in three_sessions()["properties"]:
        if found := run["counterexample"]:
            assert found["file"] in seen
            assert found["story"]["sources"].keys() <= set(re.findall(r"^(public\..*\))", seen, re.MULTILINE))
    assert "stripe waits for credits: balance A (UPDATE)" in seen
    assert not [each for each in browser.find_elements(By.TAG_NAME, "button") if each.is_displayed()]


def test_it_prints_every_run(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(three_sessions()))
    with printed(browser):
        assert layout_faults(browser) == []
        shown = [each.is_displayed() for each in browser.find_elements(By.CSS_SELECTOR, ".run, .functions, .source")]
        assert shown
        assert all(shown)
        assert not browser.find_element(By.CSS_SELECTOR, ".controls").is_displayed()
        assert "stripe waits for credits" in browser.find_element(By.ID, "run-2").text
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert pdf.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 12
