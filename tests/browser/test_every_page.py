"""Every kind of page: it fits each window, is silent, has its headings in order, shows the focus, and prints."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from harness.report.html import BODIES
from tests.browser.chromium import WIDTHS, layout_faults, printed, sized
from tests.browser.pages import PAGES

HIDDEN = """return [...document.querySelectorAll(".scrolled")].filter(box => box.checkVisibility()
  && box.scrollWidth > box.clientWidth + 1).map(box => box.ariaLabel)"""
"""The tables of which some columns are out of sight."""

RING = """const e = document.activeElement, s = getComputedStyle(e)
return e === document.body ? "nothing" : s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0
  ? "" : e.outerHTML.slice(0, 80)"""
"""Empty where what has the focus has a ring around it."""


def test_no_kind_is_left_out() -> None:
    assert {kind.removeprefix("harness-") for kind in BODIES} | {"index"} == set(PAGES)


@pytest.mark.parametrize("kind", PAGES)
def test_it_fits_light_and_dark_with_its_headings_in_order(
    kind: str, browser: webdriver.Chrome, opened: Callable[..., str]
) -> None:
    opened(PAGES[kind]())
    for width in WIDTHS:
        for dark in (True, False):
            sized(browser, width, dark=dark)
            assert layout_faults(browser) == []
    sized(browser, WIDTHS[0])
    assert browser.execute_script(HIDDEN) == []
    levels = [int(each.tag_name[1]) for each in browser.find_elements(By.CSS_SELECTOR, "h1, h2, h3, h4, h5, h6")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_in_a_narrow_window_every_cell_says_of_which_column_it_is(
    browser: webdriver.Chrome, opened: Callable[..., str]
) -> None:
    opened(PAGES["monitor"]())
    sized(browser, WIDTHS[0])
    script = "return [...document.querySelectorAll('#metrics td')].map(e => getComputedStyle(e, '::before').content)"
    said = browser.execute_script(script)
    assert said[:5] == ["none", "none", '"measured "', '"expected "', '"alert "']


@pytest.mark.parametrize("kind", PAGES)
def test_the_focus_is_seen(kind: str, browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(PAGES[kind]())
    reached = []
    for _ in range(15):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        reached.append(browser.execute_script(RING))
    assert [each for each in reached if each not in ("", "nothing")] == []
    assert reached.count("") >= 5


@pytest.mark.parametrize("kind", PAGES)
def test_tables_keep_their_heads_on_paper(kind: str, browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(PAGES[kind]())
    with printed(browser):
        assert layout_faults(browser) == []
        heads = [each for each in browser.find_elements(By.CSS_SELECTOR, ".tabled th") if each.is_displayed()]
        assert heads
        assert all(each.text for each in heads)
        assert not [each for each in browser.find_elements(By.CSS_SELECTOR, ".exports") if each.is_displayed()]
