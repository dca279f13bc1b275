"""A real Chromium without a screen, driven by Selenium: for tests of pages and for pictures."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DESKTOP, PHONE = (1280, 900), (390, 844)


class Browser:
    """One window.

    Parameters
    ----------
    driver
        Selenium's.
    """

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def resize(self, size: tuple[int, int], *, mobile: bool = False, sharpness: int = 1) -> None:
        """Be a screen of *size*, in CSS px; *sharpness* is how many dots each has."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": sharpness, "mobile": mobile},
        )

    def prefer(self, scheme: str) -> None:
        """Prefer ``light`` or ``dark``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, address: str | Path) -> None:
        """Open a file or an address."""
        self.driver.get(address.as_uri() if isinstance(address, Path) else address)

    def run(self, script: str) -> Any:
        """Give what a script returns."""
        return self.driver.execute_script(script)

    def text(self, selector: str) -> str:
        """Give the text of the first element; empty where there is none."""
        return str(self.run(f"return document.querySelector({selector!r})?.textContent ?? ''"))

    def complaints(self) -> list[str]:
        """Give everything that the page, or its policy, had to complain of since last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def picture(self, path: Path) -> None:
        """Write what is on the screen as a PNG."""
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium, with the screen of a desktop, and end it with the block."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = _found("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for option in (
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ):
        options.add_argument(option)
    if os.geteuid() == 0:  # Chromium refuses to make its sandbox for root
        options.add_argument("--no-sandbox")
    driver = webdriver.Chrome(options=options, service=Service(_found("chromedriver")))
    try:
        window = Browser(driver)
        window.resize(DESKTOP)
        yield window
    finally:
        driver.quit()


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise FileNotFoundError(f"{program} cannot be found (scripts/services.sh up chromium)")
    return path
