"""A headless Chromium under a test's hand: its size and colours, what it complained of, and what does not fit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from tests.browser.small_png import reduced

WIDTHS = (380, 1280, 1920)
HEIGHT = 900
SCREENSHOTS = Path(__file__).parents[2] / "docs" / "screenshots"
TALLEST = 1500
"""Rows of pixels in a screenshot, at most."""

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)

_FAULTS = """
const faults = []
const named = element => element.tagName.toLowerCase() + (element.id ? "#" + element.id : "")
  + [...element.classList].map(name => "." + name).join("")
  + " " + JSON.stringify(element.textContent.trim().slice(0, 40))
const boxed = element => {
  for (let up = element; up && up !== document.body; up = up.parentElement)
    if (getComputedStyle(up).overflowX !== "visible") return true
  return false
}
const wide = document.documentElement
if (wide.scrollWidth > innerWidth) faults.push(`the page is ${wide.scrollWidth} wide, the window ${innerWidth}`)
for (const element of document.body.querySelectorAll("*")) {
  const box = element.getBoundingClientRect(), style = getComputedStyle(element)
  if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || box.width === 0) continue
  if ((box.right > innerWidth + 1 || box.left < -1) && !boxed(element.parentElement) && style.position !== "fixed")
    faults.push(`${named(element)} reaches from ${box.left} to ${box.right}`)
  const spills = element.scrollWidth > element.clientWidth + 1 && style.display !== "inline" && element.clientWidth
  const clipped = style.overflowX === "hidden" || style.overflowX === "clip"
  if (spills && (style.overflowX === "visible" || (clipped && style.textOverflow !== "ellipsis")))
    faults.push(`${named(element)} holds ${element.scrollWidth} in ${element.clientWidth}`)
}
return faults
"""


def missing() -> str:
    """Why there is no browser to be had here; empty where there is one."""
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"NOT RUN: no {' and no '.join(absent)} (apt-get install chromium chromium-driver)" if absent else ""


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """One that has just been started, with an empty profile in the folder ``profile``."""
    options = Options()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def sized(browser: webdriver.Chrome, width: int, height: int = HEIGHT, *, dark: bool = False) -> None:
    """Make the window so large, and its user one who likes it light or dark."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": [feature]})


@contextmanager
def printed(browser: webdriver.Chrome, width: int = 720) -> Iterator[None]:
    """The page as it is on paper, of about the width of A4."""
    sized(browser, width)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        yield
    finally:
        sized(browser, 1280)


def looked_at(browser: webdriver.Chrome, name: str, top: str = "body") -> list[str]:
    """What does not fit in each width, light and dark; with a picture of each, from the element ``top`` down."""
    faults = []
    for width in WIDTHS:
        sized(browser, width)
        faults += [f"{width}: {fault}" for fault in layout_faults(browser)]
        if name and os.environ.get("HARNESS_SCREENSHOTS"):
            screenshot(browser, name, top)
            sized(browser, width, dark=True)
            screenshot(browser, f"{name}-dark", top)
    sized(browser, WIDTHS[1])
    return faults


def complaints(browser: webdriver.Chrome) -> list[str]:
    """What the browser's console has said since the last time that somebody asked."""
    return [str(entry["message"]) for entry in browser.execute("getLog", {"type": "browser"})["value"]]


def layout_faults(browser: webdriver.Chrome) -> list[str]:
    """What does not fit: elements beyond the edge of the window or of their own box, unless that scrolls."""
    found: list[str] = browser.execute_script(_FAULTS)
    return found


def screenshot(browser: webdriver.Chrome, name: str, top: str = "body") -> None:
    """Keep what the page looks like from the element ``top`` down, when the variable HARNESS_SCREENSHOTS is set.

    It is ``docs/screenshots/NAME-1280.png``, the width that the docs show; or in the folder that the variable names,
    and then of every width.
    """
    asked = os.environ.get("HARNESS_SCREENSHOTS")
    folder = Path(asked) if asked and Path(asked).is_dir() else SCREENSHOTS
    measured = "const top = document.querySelector(arguments[0]).getBoundingClientRect().top + scrollY"
    width, height, y = browser.execute_script(
        f"{measured}; return [innerWidth, document.documentElement.scrollHeight, top]", top
    )
    if not asked or (folder == SCREENSHOTS and width != WIDTHS[1]):
        return
    clip = {"x": 0, "y": y, "width": width, "height": min(height - y, TALLEST), "scale": 1}
    shot = browser.execute_cdp_cmd(
        "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True, "clip": clip}
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}-{width}.png").write_bytes(reduced(browser, shot["data"]))
