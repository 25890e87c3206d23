"""A run is stepped through with the keyboard or the mouse, and every step has an address of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from harness.report.html import html
from tests.browser.told import three_sessions, two_buyers

STATE = (
    "return [...document.querySelectorAll('.current .state tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
)


def press(browser: webdriver.Chrome, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()


def step(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.CSS_SELECTOR, ".current .controls .at").text


def panel(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.CSS_SELECTOR, ".current .panel").text


def fragment(browser: webdriver.Chrome) -> str:
    return browser.current_url.partition("#")[2]


def in_view(browser: webdriver.Chrome, selector: str) -> bool:
    """Whether the middle of an element comes to be seen, in the window and in whatever scrolls around it."""
    script = """const e = document.querySelector(arguments[0]), r = e.getBoundingClientRect()
    return e.contains(document.elementFromPoint(r.left + 5, (r.top + r.bottom) / 2))"""
    return bool(WebDriverWait(browser, 20).until(lambda _: browser.execute_script(script, selector)))


def test_keys_step_and_the_address_follows(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(two_buyers()))
    assert (step(browser), fragment(browser)) == ("step 0 of 15", "")
    press(browser, Keys.ARROW_RIGHT, "j", "j")
    assert (step(browser), fragment(browser)) == ("step 3 of 15", "run-1-step-3")
    press(browser, Keys.ARROW_LEFT, "k")
    assert step(browser) == "step 1 of 15"
    press(browser, Keys.END)
    assert step(browser) == "step 15 of 15"
    press(browser, "j")
    assert step(browser) == "step 15 of 15"
    press(browser, Keys.HOME)
    assert step(browser) == "step 0 of 15"
    browser.find_element(By.ID, "run-1-step-5").click()
    assert fragment(browser) == "run-1-step-5"
    legend = browser.find_element(By.CSS_SELECTOR, ".legend").text
    assert all(key in legend for key in ("←", "→", "k", "j", "Home", "End"))


def test_typing_into_a_field_does_not_step(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(two_buyers()))
    browser.find_element(By.CSS_SELECTOR, "#scenarios input").send_keys("jjj")
    browser.execute_script("scrollTo(0, 0)")
    assert step(browser) == "step 0 of 15"


def test_a_step_shows_its_line_what_was_seen_and_what_became_visible(
    browser: webdriver.Chrome, opened: Callable[..., str]
) -> None:
    opened(html(two_buyers()), "run-1-step-8")
    assert in_view(browser, "#run-1-step-8 > p")
    assert "step 8 bob, public.complete_credit_lead_purchase, line 54" in panel(browser)
    assert "fix_payment_race_conditions.sql:143" in panel(browser)
    here = browser.find_elements(By.CSS_SELECTOR, ".panel .here")
    assert [each.text.split()[0] for each in here] == ["END;"]
    assert in_view(browser, ".panel .here")
    assert browser.execute_script(STATE) == [
        ["balance A", "50", "50"],
        ["balance B", "50", "40.00"],
        ["lead L1", "available", "sold"],
        ["purchase p", "-", "-"],
        ["purchase q", "-", "completed"],
    ]
    press(browser, "j")
    assert browser.execute_script(STATE)[2] == ["lead L1", "sold", "sold"]
    assert "reads what was committed up to step 8" in panel(browser)
    press(browser, "j")
    assert "v_balance = 50.00" in panel(browser)
    press(browser, Keys.END)
    assert browser.execute_script(STATE)[2] == ["lead L1", "sold", "sold, sold_count 2"]


def test_the_explanation_leads_to_its_steps(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(two_buyers()))
    browser.find_element(By.LINK_TEXT, "step 13").click()
    assert (step(browser), fragment(browser)) == ("step 13 of 15", "run-1-step-13")
    assert "line 38" in panel(browser)
    assert [each.text.split()[0] for each in browser.find_elements(By.CSS_SELECTOR, ".key > .number")] == [
        "0",
        "6",
        "13",
    ]
    orders = browser.find_element(By.CSS_SELECTOR, ".orders").text
    assert "alice: Buy A L1 p → bob: Buy B L1 q" in orders
    assert "but here bob is told ok" in orders
    assert "Run one after the other, in any of these orders, correct functions would have given" in html(two_buyers())


def test_a_single_order_is_told_as_one() -> None:
    found = two_buyers()
    for each in found["properties"]:
        if each["counterexample"]:
            del each["counterexample"]["serial_orders"][1:]
    assert "Run in this order, correct functions would have given" in html(found)
    assert "any of these orders" not in html(found)


def test_an_address_opens_at_its_run_and_step(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    opened(html(three_sessions()), "run-2-step-5")
    assert step(browser) == "step 5 of 5"
    shown = [each.get_attribute("id") for each in browser.find_elements(By.CLASS_NAME, "run") if each.is_displayed()]
    assert shown == ["run-2"]
    assert in_view(browser, "#run-2 .controls .at")
    circle = browser.find_element(By.CSS_SELECTOR, ".current .panel .circle")
    assert "stripe waits for credits: balance A (UPDATE)" in circle.text
    assert len(circle.find_elements(By.CSS_SELECTOR, "path.head")) == 2
    press(browser, "k")
    assert browser.find_elements(By.CSS_SELECTOR, "#run-2-step-4 .rightward")
    assert "credits waits for stripe: purchase p (FOR UPDATE)" in panel(browser)
    press(browser, "[")
    assert fragment(browser) == "run-1-step-0"
    assert step(browser) == "step 0 of 14"
    browser.find_element(By.CSS_SELECTOR, ".chooser li:nth-child(2) a").click()
    assert fragment(browser) == "run-2"
    assert step(browser) == "step 4 of 5"


@pytest.mark.parametrize("clipboard", [True, False])
def test_the_replay_line_and_the_address_are_copied(
    clipboard: bool, browser: webdriver.Chrome, opened: Callable[..., str]
) -> None:
    address = opened(html(two_buyers()), "run-1-step-3")
    if not clipboard:  # as on pages from a file in some browsers
        browser.execute_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    line = browser.find_element(By.CSS_SELECTOR, ".run > .command")
    line.find_element(By.TAG_NAME, "button").click()
    assert pasted(browser) == line.find_element(By.TAG_NAME, "code").text
    assert pasted(browser).startswith("harness replay reports/schedules/")
    browser.execute_script("arguments[0].scrollIntoView()", browser.find_element(By.CLASS_NAME, "viewer"))
    browser.find_element(By.CSS_SELECTOR, ".lanes").click()
    press(browser, "c")
    assert pasted(browser).split("#")[0] == address.split("#")[0]


def test_a_button_that_is_clicked_twice_says_in_the_end_what_it_does(
    browser: webdriver.Chrome, opened: Callable[..., str]
) -> None:
    opened(html(two_buyers()))
    browser.execute_script("window.later = []; window.setTimeout = act => window.later.push(act)")
    button = browser.find_element(By.CSS_SELECTOR, ".run > .command button")
    text = button.text
    for _ in range(2):
        button.click()
    WebDriverWait(browser, 10).until(lambda _: browser.execute_script("return window.later.length") == 2)
    assert button.text == "copied"
    browser.execute_script("for (const act of window.later) act()")
    assert button.text == text


def pasted(browser: webdriver.Chrome) -> str:
    """What is on the clipboard, by putting it into the field of the filter."""
    field = browser.find_element(By.CSS_SELECTOR, "#scenarios input")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(Keys.CONTROL, "v")
    text = str(field.get_attribute("value"))
    browser.execute_script("arguments[0].value = ''", field)
    return text


def test_long_stretches_without_news_are_folded(browser: webdriver.Chrome, opened: Callable[..., str]) -> None:
    found = two_buyers()
    for each in found["properties"]:
        if each["counterexample"]:
            each["counterexample"]["because"] = {}
            steps = each["counterexample"]["story"]["steps"]
            plain = {**steps[9], "where": "client", "statement": "SELECT 1"}
            steps += [{**plain, "step": number} for number in range(16, 26)]
    opened(html(found))
    folded = browser.find_elements(By.CSS_SELECTOR, ".step.folded")
    assert folded
    assert not any(each.is_displayed() for each in folded)
    count = sum(int(each.text.split()[1]) for each in browser.find_elements(By.CSS_SELECTOR, ".folded-away"))
    assert count == len(folded)
    press(browser, Keys.END, "k", "k", "k")
    now = browser.find_element(By.CSS_SELECTOR, ".step.now")
    assert "folded" in str(now.get_attribute("class"))
    assert now.is_displayed()
    browser.find_element(By.CSS_SELECTOR, ".unfold").click()
    assert all(each.is_displayed() for each in folded)
