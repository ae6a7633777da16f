"""The page when what it is told, or who tells it, goes missing."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import WebSocketRoute, expect
from yarl import URL

from tests.page.test_page_walk import DRIP, WAITS, configure, lines_of, more_than
from tests.support.api import Api
from tests.support.browser import browsing, expect_rows
from tests.support.serving import serving

pytestmark = [pytest.mark.timeout(300)]

TALL = {"width": 1280, "height": 14_000}
WHOLE = re.compile(r"^\d+ lines · whole$")


def swallow(lost: list[set[int]]) -> Callable[[WebSocketRoute], None]:
    """A way to the server on which pieces of the log get lost: of each subscription to it, in order, those numbers."""
    came: dict[str, int] = {}

    def lead(route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        route.on_message(server.send)

        def pass_on(message: str | bytes) -> None:
            said = json.loads(message)
            if said["type"] == "next" and "jobLog" in said["payload"]["data"]:
                came[said["id"]] = came.get(said["id"], 0) + 1
                turn = list(came).index(said["id"])
                if turn < len(lost) and came[said["id"]] in lost[turn]:
                    return
            route.send(message)

        server.on_message(pass_on)

    return lead


async def test_a_gap_is_seen_and_filled(api: Api, add_recipe: Callable[[str, str], None], data_dir: Path) -> None:
    add_recipe("drip", DRIP)
    await api.create_server()
    async with browsing(api, viewport=TALL) as browser:
        page = browser.page
        await page.route_web_socket("**/graphql", swallow([{5}, {3, 4}]))
        await browser.open()
        await configure(page, "here", "drip")
        await more_than(page, 1)
        ups = await page.locator(".wire").get_attribute("data-ups")
        # What is lost last shows when the next piece comes: two gaps, one of them of two pieces.
        await expect(page.get_by_text("gaps in what came, asked for again and filled.")).to_be_visible(timeout=120_000)
        await expect(page.get_by_text(WHOLE)).to_be_visible(timeout=120_000)
        await expect(page.locator(".wire")).to_have_attribute("data-ups", str(ups))
        await expect_rows(page, await lines_of(data_dir, 1))


async def test_a_server_that_is_killed_and_comes_back(ansible_dir: Path, data_dir: Path) -> None:
    (ansible_dir / "playbooks/drip.yml").write_text(DRIP)
    async with serving(data_dir, ansible_dir) as first:
        await first.api.create_server()
        port = URL(first.url).port
        assert port is not None
        async with browsing(first.url, viewport=TALL) as browser:
            page = browser.page
            await browser.open()
            await configure(page, "here", "drip")
            status = page.locator(".head [role=status]")
            await expect(status).to_have_text("Running ▶️", timeout=60_000)
            shown = await more_than(page, 30)
            await first.kill()
            await expect(page.locator(".wire")).to_have_text("Connection lost. Reconnecting; nothing will be missed.")
            # The job goes on, and nobody can say otherwise.
            await expect(status).to_have_text("Running ▶️")
            await asyncio.sleep(2)
            async with serving(data_dir, ansible_dir, port=str(port)):
                await expect(page.locator(".wire")).to_have_text("Live", timeout=60_000)
                await more_than(page, shown)
                await expect(status).to_have_text("Finished ✅", timeout=150_000)
                await expect(page.get_by_text(WHOLE)).to_be_visible(timeout=60_000)
                await expect_rows(page, await lines_of(data_dir, 1))
            browser.forgive("net::ERR_")


@pytest.mark.parametrize("place", ["#/", "#/jobs", "#/jobs/1"])
async def test_what_ended_meanwhile_is_seen(ansible_dir: Path, data_dir: Path, go: Path, place: str) -> None:
    (ansible_dir / "playbooks/waits.yml").write_text(WAITS.format(go=go))
    async with serving(data_dir, ansible_dir) as first:
        await first.api.run("waits", await first.api.create_server())
        port = URL(first.url).port
        assert port is not None
        async with browsing(first.url) as browser:
            page = browser.page
            await browser.open(place)
            status = page.locator("main .status")
            await expect(status).to_have_text("Running ▶️", timeout=60_000)
            await first.kill()
            go.touch()
            # Elsewhere, so that the browser is told nothing of how the job ends.
            async with serving(data_dir, ansible_dir) as other:
                await other.api.finished("1")
            async with serving(data_dir, ansible_dir, port=str(port)):
                await expect(status).to_have_text("Finished ✅", timeout=60_000)
            browser.forgive("net::ERR_")
