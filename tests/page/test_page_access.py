"""The page for those who do not see it, or use no mouse."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.test_page_walk import BROKEN
from tests.support.api import Api
from tests.support.browser import browsing
from web.build import WEB

pytestmark = [pytest.mark.timeout(300)]

AXE = WEB / "node_modules/axe-core/axe.min.js"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


async def offences(page: Page) -> list[str]:
    """What axe finds fault with: the rule, and where."""
    await page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = await page.evaluate(f"axe.run({json.dumps(RULES)}).then((all) => all.violations)")
    return [f"{one['id']}: {node['html'][:160]} {node['failureSummary']}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(api: Api, add_recipe: Callable[[str, str], None], scheme: str) -> None:
    add_recipe("broken", BROKEN)
    first, second = await api.create_server(tags=["web"]), await api.create_server(name="there")
    await api.finished((await api.run("broken", first, second))["id"])
    await api.finished((await api.run("demo", first, check=True))["id"])
    async with browsing(api, color_scheme=scheme) as browser:
        page = browser.page
        for place in ("#/", "#/servers/new", "#/servers/1", "#/jobs", "#/recipes", "#/recipes/demo", "#/jobs/2"):
            await browser.open(place)
            await expect(page.locator("h1")).to_be_visible()
            await expect(page.locator("[aria-busy]")).to_have_count(0)
            assert await offences(page) == [], place
        await browser.open("#/jobs/1/L20")
        await expect(page.locator(".row.here")).to_be_visible()
        await page.get_by_placeholder("Search the log").fill("task")
        await page.get_by_text("Tasks (2)").click()
        await page.get_by_role("button", name="Times").click()
        await page.locator(".row.failed").first.click()
        await expect(page.locator(".panel")).to_be_visible()
        assert await offences(page) == []
        await page.get_by_role("button", name="Run again").click()
        await expect(page.get_by_role("button", name="Run job 1 again")).to_be_enabled()
        assert await offences(page) == []


async def test_the_sign_in_box_too(start_app: Callable[..., Any]) -> None:
    async with browsing(await start_app(token="correct-horse")) as browser:
        await browser.open()
        await expect(browser.page.get_by_label("Token")).to_be_focused()
        assert await offences(browser.page) == []


async def test_without_a_mouse(api: Api, add_recipe: Callable[[str, str], None]) -> None:
    add_recipe("broken", BROKEN)
    await api.create_server()
    await api.finished((await api.run("broken", "1"))["id"])
    async with browsing(api, viewport={"width": 1280, "height": 500}) as browser:
        page = browser.page
        await browser.open("#/jobs/1")
        await expect(page.locator(".row.failed")).to_be_visible()
        press = page.keyboard.press

        await press("/")
        await expect(page.get_by_placeholder("Search the log")).to_be_focused()
        await page.keyboard.type("TASK [")
        await expect(page.locator(".finds")).to_contain_text("0 of 2")
        await press("Enter")
        await expect(page.locator(".row.here")).to_contain_text("TASK [Fine]")
        await expect(page.locator(".finds")).to_contain_text("1 of 2")
        await page.locator(".log").focus()
        await press("n")
        await expect(page.locator(".row.here")).to_contain_text("TASK [Broken]")
        # A task folds, and unfolds when something in it is looked for.
        await press("Enter")
        await expect(page.locator(".row.closed")).to_contain_text("TASK [Broken]")
        await expect(page.locator(".row.failed")).to_have_count(0)
        await press("e")
        await expect(page.locator(".row.failed.here")).to_be_visible()
        await expect(page.locator(".row.closed")).to_have_count(0)
        await press("Enter")
        await expect(page.locator(".panel")).to_contain_text("this cannot work")
        await press("Escape")
        await expect(page.locator(".panel")).to_have_count(0)
        await press("g")
        await expect(page.locator(".row", has_text="ansible-playbook [core")).to_be_visible()
        await expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
        await press("j")
        await expect(page.locator(".row.here")).to_have_count(1)
        await press("G")
        await expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")
