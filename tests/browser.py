"""A headless Chromium for tests that look at a page, driven through chromedriver."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
MISSING = "needs chromium and chromedriver (apt-get install chromium chromium-driver)"
HEIGHT = 900
# What the page would show beyond the window: elements that reach past its right edge outside a frame that
# scrolls alone.
OVERFLOWING = """
const width = document.documentElement.clientWidth;
return [...document.querySelectorAll("body *")].filter(element =>
  element.getBoundingClientRect().right > width + 1 && !element.parentElement.closest(".scroll")
  && !element.classList.contains("skip")).map(element => element.outerHTML.slice(0, 80));
"""


@contextmanager
def browser(scratch: Path) -> Iterator[Any]:
    """A driver that keeps its profile in `scratch` and logs network and console."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for word in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        f"user-data-dir={scratch}",
        "disable-dev-shm-usage",
    ):
        options.add_argument(f"--{word}")
    options.binary_location = CHROMIUM or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def resize(driver: Any, width: int) -> None:
    """A window whose inside is that many pixels wide."""
    metrics = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def dark(driver: Any, wanted: bool) -> None:
    """What the system's setting says."""
    feature = {"name": "prefers-color-scheme", "value": "dark" if wanted else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def requested(driver: Any) -> list[str]:
    """The addresses asked for since the last call, that of the page included."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
