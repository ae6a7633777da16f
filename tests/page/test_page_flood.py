"""The page while a job prints faster than anybody reads."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from bench.rig.server import Server, flood_ansible_dir
from tests.support.browser import Browser, browsing

pytestmark = [pytest.mark.timeout(300)]

LINES = 20_000
MOST_NODES = 500


@pytest.fixture
def flooding(tmp_path: Path) -> Iterator[Server]:
    """A real server whose jobs print as `bench/stand_in/ansible.py` does."""
    ansible = flood_ansible_dir(tmp_path)
    with Server(tmp_path / "room", PLAYCAST_ANSIBLE_DIR=str(ansible), PLAYCAST_LAUNCHER="cold") as server:
        yield server


@pytest.fixture
async def browser(flooding: Server) -> AsyncIterator[Browser]:
    """A browser at that server."""
    async with browsing(flooding.url) as opened:
        yield opened


async def seen(page: Page) -> list[int]:
    """The numbers of the lines that the reader sees, from top to bottom; each must hold its own text."""
    found: list[list[str]] = await page.evaluate("""() => {
      const room = document.querySelector('.log').getBoundingClientRect();
      return [...document.querySelectorAll('.row')]
        .filter((row) => {
          const { top, bottom } = row.getBoundingClientRect();
          return top >= room.top && bottom <= room.bottom;
        })
        .map((row) => [row.dataset.line, row.querySelector('.text')?.textContent ?? '']);
    }""")
    for line, text in found:
        assert text.startswith(f"{int(line) - 1:08} "), (line, text)
    numbers = [int(line) for line, _ in found]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return numbers


async def settled(page: Page, fits: Callable[[list[int]], bool] = bool) -> list[int]:
    """The same, once it is as it is to be and has not changed for a moment."""
    before: list[int] = []
    async with asyncio.timeout(60):
        while True:
            await asyncio.sleep(0.1)
            # What the browser was told before is drawn by then.
            await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            now = await seen(page)
            if now == before and fits(now):
                return now
            before = now


def begins_near(last: int) -> Callable[[list[int]], bool]:
    """Whether lines begin where that one was the last."""
    return lambda lines: last - 1 <= lines[0] <= last + 1


async def test_a_reader_in_a_flood(flooding: Server, browser: Browser, tmp_path: Path) -> None:
    page = browser.page
    server = await asyncio.to_thread(flooding.add_server)
    job = await asyncio.to_thread(flooding.run, "flood", server, lines=LINES, rate=3000, wait=1)
    follow = page.get_by_role("button", name="Follow")
    await browser.open(f"#/jobs/{job}")
    await asyncio.to_thread((tmp_path / "room" / "data" / "begin").touch)
    await expect(page.locator(".row").first).to_be_visible()
    await expect(follow).to_have_attribute("aria-pressed", "true")
    first = (await seen(page))[-1]
    async with asyncio.timeout(60):
        while (await seen(page))[-1] <= first:  # noqa: ASYNC110 (the page is looked at)
            await asyncio.sleep(0.1)

    # The wheel stops it, and then the lines stay, whatever comes.
    await page.locator(".log").hover()
    await page.mouse.wheel(0, -600)
    await expect(follow).to_have_attribute("aria-pressed", "false")
    stayed = await settled(page)
    assert stayed[-1] < LINES
    await asyncio.sleep(1)
    assert await seen(page) == stayed
    assert await page.evaluate("document.querySelectorAll('*').length") < MOST_NODES

    await page.mouse.wheel(0, 1e6)
    await expect(follow).to_have_attribute("aria-pressed", "true")
    await expect(page.get_by_text(f"{LINES} lines · whole")).to_be_visible(timeout=60_000)
    await settled(page, lambda lines: lines[-1] == LINES)


async def test_every_line_can_be_reached(flooding: Server, browser: Browser) -> None:
    page = browser.page
    server = await asyncio.to_thread(flooding.add_server)
    job = await asyncio.to_thread(flooding.run, "flood", server, lines=LINES, rate=0)
    await browser.open(f"#/jobs/{job}/L12345")
    await expect(page.get_by_text(f"{LINES} lines · whole")).to_be_visible(timeout=60_000)
    await expect(page.locator(".row.here")).to_have_attribute("data-line", "12345")
    await settled(page, lambda lines: 12345 in lines)

    await page.locator(".log").focus()
    await page.keyboard.press("Home")
    lines = await settled(page, lambda lines: lines[0] == 1)
    # Each page begins where the last one ended: nothing is skipped.
    for _ in range(3):
        await page.keyboard.press("PageDown")
        lines = await settled(page, begins_near(lines[-1]))
    await page.keyboard.press("ArrowDown")
    await settled(page, lambda now: now[0] == lines[0] + 1)
    await page.locator(".log").hover()
    await page.mouse.wheel(0, 180)
    await settled(page, lambda now: now[0] == lines[0] + 11)
    await page.keyboard.press("End")
    await settled(page, lambda lines: lines[-1] == LINES)

    await page.get_by_placeholder("Search the log").fill("00015000 1")
    await expect(page.locator(".finds")).to_contain_text("0 of 1")
    await page.keyboard.press("Enter")
    await settled(page, lambda lines: 15001 in lines)
    await page.evaluate("document.querySelector('.log').scrollTop = 0")
    await settled(page, lambda lines: lines[0] == 1)
    await page.evaluate("document.querySelector('.log').scrollTop = 1e9")
    await settled(page, lambda lines: lines[-1] == LINES)
