"""The page of a load run in a browser: it fits, its charts are read out by pointer and keys, and it stays silent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from harness.report.html import html
from tests.browser.chromium import WIDTHS, layout_faults, screenshot, sized
from tests.report.test_load_page import NAMES, document


@pytest.mark.parametrize("name", NAMES)
def test_every_page_fits_every_window(name: str, browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(document(name)))
    for width in WIDTHS:
        for dark in (True, False):
            sized(browser, width, dark=dark)
            assert layout_faults(browser) == []
            screenshot(browser, f"{name.replace('_', '-')}{'-dark' if dark else ''}")


def test_a_chart_is_read_out_by_pointer_and_by_keys(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    found = document("load_open")
    opened(html(found))
    chart = browser.find_element(By.CSS_SELECTOR, "#throughput figure")
    plot, output = chart.find_element(By.CSS_SELECTOR, ".plot"), chart.find_element(By.TAG_NAME, "output")
    other = browser.find_element(By.CSS_SELECTOR, "#latency figure output")
    assert output.text == ""
    browser.execute_script("arguments[0].focus()", plot)
    plot.send_keys(Keys.HOME)
    assert output.text.startswith("0 s · answers/s ")
    # All charts of one time axis are at the same moment.
    assert other.text.startswith("0 s · sending p50 ")
    plot.send_keys(Keys.ARROW_RIGHT)
    assert output.text.startswith(f"{found['timeline']['bucket_seconds']:g} s · ")
    plot.send_keys(Keys.END, Keys.ARROW_RIGHT)
    assert output.text.startswith(f"{found['timeline']['buckets'][-1]['at']:g} s · ")
    ActionChains(browser).move_to_element(plot).perform()
    middle = found["timeline"]["buckets"][len(found["timeline"]["buckets"]) // 2]
    assert output.text.startswith(f"{middle['at']:g} s · ")
    ActionChains(browser).move_to_element(browser.find_element(By.TAG_NAME, "h1")).perform()
    assert output.text == ""


def test_the_table_of_a_chart_opens(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    found = document("load_open")
    opened(html(found))
    table = browser.find_element(By.ID, "timeline-values")
    assert not table.find_element(By.TAG_NAME, "table").is_displayed()
    browser.execute_script("arguments[0].focus()", table.find_element(By.TAG_NAME, "summary"))
    table.find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
    assert table.find_element(By.TAG_NAME, "table").is_displayed()
    assert len(table.find_elements(By.CSS_SELECTOR, "tbody tr")) == len(found["timeline"]["buckets"])
    assert layout_faults(browser) == []
