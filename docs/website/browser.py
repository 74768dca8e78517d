"""A headless Chromium for the tests of pages: opened by Selenium, without a network."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PHONE = (390, 844)
DESK = (1300, 900)


def found() -> str | None:
    """The path of a browser on this machine that has its driver beside it."""
    return next(filter(None, map(shutil.which, BROWSERS)), None) if shutil.which("chromedriver") else None


@contextmanager
def browser(size: tuple[int, int] = DESK) -> Iterator[webdriver.Chrome]:
    """A browser with a window of a size in pixels; a phone is emulated, since windows are never that narrow."""
    options = Options()
    options.binary_location = found() or ""
    for argument in ("--headless=new", "--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars"):
        options.add_argument(argument)
    if size[0] < 500:
        metrics = {"width": size[0], "height": size[1], "pixelRatio": 1.0}
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.set_window_size(*size)
        yield driver
    finally:
        driver.quit()


def complaints(driver: webdriver.Chrome) -> list[str]:
    """What the console has said since it was last asked, warnings too."""
    return [entry["message"] for entry in driver.get_log("browser")]
