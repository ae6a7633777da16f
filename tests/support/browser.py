"""A real browser that looks at the page, and takes down whatever it should not do."""

import gc
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import ConsoleMessage, Page, Request, WebSocket, async_playwright, expect

from tests.support.api import Api

PATIENCE = 20_000
"""Milliseconds for what should be there at once: a busy machine takes its time."""
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
WATCH = "addEventListener('securitypolicyviolation', (event) => console.error(`CSP ${event.violatedDirective}`))"
EXPECTED = "Failed to load resource: the server responded with a status of 401 (Unauthorized)"


@dataclass
class Browser:
    """One page in a browser of its own, and what it did wrong."""

    page: Page
    home: str
    faults: list[str] = field(default_factory=list)

    async def open(self, place: str = "") -> None:
        """Go to a place of the page."""
        await self.page.goto(f"{self.home}/{place}")

    def forgive(self, part: str) -> None:
        """Faults with this in their text were brought about by the test."""
        self.faults = [fault for fault in self.faults if part not in fault]

    def on_console(self, message: ConsoleMessage) -> None:
        """Errors and warnings are faults, but for the lost sockets and the refusals that tests bring about."""
        if message.type in {"error", "warning"} and "WebSocket connection to" not in message.text:
            self._fault(message.text)

    def on_error(self, error: Any) -> None:
        """No script of ours may fail."""
        self._fault(f"script: {error}")

    def on_request(self, request: Request) -> None:
        """Nothing may leave this machine, or even this server."""
        self._inside(request.url)

    def on_socket(self, socket: WebSocket) -> None:
        """Same."""
        self._inside(socket.url)

    def _inside(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.home).netloc:
            self._fault(f"outside: {url}")

    def _fault(self, text: str) -> None:
        if text != EXPECTED:
            self.faults.append(text)


def find_chromium() -> str:
    """The machine's Chromium; without one the test is skipped, or fails in continuous integration."""
    for name in NAMES:
        found = shutil.which(name)
        if found is not None:
            return found
    reason = f"a browser is needed: {', '.join(NAMES)}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@asynccontextmanager
async def browsing(at: Api | str, **given: Any) -> AsyncIterator[Browser]:
    """A browser at a server, which is known by its API or its address. At the end it must have done nothing wrong."""
    look = {"locale": "en-US", "color_scheme": "light", "viewport": {"width": 1280, "height": 900}, **given}
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS, timeout=120_000)
        try:
            page = await (await started.new_context(**look)).new_page()
            browser = Browser(page, (at if isinstance(at, str) else str(at.client.make_url("/"))).rstrip("/"))
            page.set_default_timeout(PATIENCE)
            expect.set_options(PATIENCE)
            await page.add_init_script(WATCH)
            page.on("console", browser.on_console)
            page.on("pageerror", browser.on_error)
            page.on("request", browser.on_request)
            page.on("websocket", browser.on_socket)
            yield browser
            assert browser.faults == [], browser.faults
        finally:
            await started.close()
            # What was cut off in its middle is complained about here, and not in whichever test comes next.
            gc.collect()


async def rows(page: Page) -> list[str]:
    """The lines of the log that are drawn, from top to bottom, as they are read."""
    texts: list[str] = await page.eval_on_selector_all(
        ".row", "rows => rows.map((row) => row.querySelector('.text')?.textContent)"
    )
    return texts


async def expect_rows(page: Page, lines: list[str]) -> None:
    """These lines are drawn, and no others. Rows come a frame later than the word that all is here."""
    deadline = time.monotonic() + PATIENCE / 1000
    while (drawn := await rows(page)) != lines and time.monotonic() < deadline:
        await page.wait_for_timeout(50)
    assert drawn == lines
