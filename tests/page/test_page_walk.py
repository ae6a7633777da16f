"""The page in a real browser: from a new server to a finished job, and what may come between."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.conftest import StartApp
from tests.support.api import Api
from tests.support.browser import browsing, expect_rows
from tests.support.sshd import PASSWORD, Sshd

pytestmark = [pytest.mark.timeout(300)]

TALL = {"width": 1280, "height": 4000}
TOKEN = "correct-horse"
BROKEN = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Fine
      ansible.builtin.debug:
        msg: <b id="pwned">Grüße</b>
    - name: Broken
      ansible.builtin.fail:
        msg: this cannot work
      when: break_it | default(true)
"""
# A few lines each fifth of a second.
DRIP = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "Grüße {{ item }}, 世界 😀"
      loop: "{{ range(120) | list }}"
      loop_control: {pause: 0.2}
"""
# What the page says about its connection, also when it says it for a moment only.
LISTEN = """() => {
  window.said = [];
  const link = document.querySelector('.wire');
  new MutationObserver(() => window.said.push(link.textContent)).observe(link, {
    childList: true, characterData: true, subtree: true,
  });
}"""
WAITS = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Wait
      ansible.builtin.wait_for:
        path: {go}
"""


async def lines_of(data_dir: Path, number: int) -> list[str]:
    text = await asyncio.to_thread((data_dir / f"jobs/{number}/ansible.log").read_text)
    return text.removesuffix("\n").split("\n")


async def configure(page: Page, server: str, recipe: str) -> None:
    await page.get_by_label(f"Select {server}", exact=True).check()
    await page.get_by_label("Recipe", exact=True).select_option(recipe)
    await page.get_by_role("button", name="Configure now (1)").click()


async def test_from_a_new_server_to_a_finished_job(api: Api, sshd: Sshd, data_dir: Path) -> None:
    async with browsing(api, viewport=TALL) as browser:
        page = browser.page
        await browser.open()
        await expect(page.get_by_text("No server yet.")).to_be_visible()
        await page.get_by_role("link", name="Add a server").click()
        for label, value in (("Name", "web-1"), ("Host or address", sshd.address), ("User", sshd.user)):
            await page.get_by_label(label, exact=True).fill(value)
        await page.get_by_label("Port").fill(str(sshd.port))
        await page.get_by_label("Tags, with spaces between").fill("web staging")
        await page.get_by_role("textbox", name="Password").fill(PASSWORD)
        await page.get_by_role("button", name="Save").click()

        await configure(page, "web-1", "base")
        await expect(page.get_by_role("heading", name="Job 1 · base")).to_be_visible()
        await expect(page.locator(".head [role=status]")).to_have_text("Finished ✅", timeout=120_000)
        await expect(page.get_by_text(re.compile(r"^\d+ lines · whole$"))).to_be_visible()
        await expect_rows(page, await lines_of(data_dir, 1))
        recap = page.get_by_role("row", name="web-1 srv-1")
        await expect(recap.locator("td.number")).to_have_text(["1", "0", "0", "0", "0", "0", "0"])
        await expect(page).to_have_title("✅ Job 1 · base")

        await page.get_by_role("link", name="Servers").click()
        await expect(page.get_by_role("row", name="web-1")).to_contain_text("1 base Finished")
        assert PASSWORD not in await page.content()


async def test_a_failing_recipe_shows_its_line(api: Api, add_recipe: Callable[[str, str], None]) -> None:
    add_recipe("broken", BROKEN)
    await api.create_server()
    async with browsing(api) as browser:
        page = browser.page
        await browser.open()
        await configure(page, "here", "broken")
        await expect(page.locator(".head [role=status]")).to_contain_text(
            "Error ❌ the playbook failed", timeout=120_000
        )
        await page.get_by_role("button", name="Next failure (1)").click()
        await expect(page.locator(".row.here.failed .text")).to_contain_text("this cannot work")
        # What a host prints is text.
        await expect(page.locator(".row", has_text='<b id="pwned">')).to_be_visible()
        await expect(page.locator("#pwned")).to_have_count(0)

        await page.get_by_role("button", name="Run again").click()
        await page.get_by_role("button", name="Run job 1 again").click()
        await expect(page.get_by_role("heading", name="Job 2 · broken")).to_be_visible()
        await expect(page.get_by_role("link", name="again of job 1")).to_be_visible()
        await expect(page.locator(".head [role=status]")).to_contain_text("Error", timeout=120_000)


async def test_a_running_job_is_seen_and_canceled(api: Api, add_recipe: Callable[[str, str], None], go: Path) -> None:
    add_recipe("waits", WAITS.format(go=go))
    await api.create_server()
    async with browsing(api) as browser:
        page = browser.page
        await browser.open("#/jobs")
        await expect(page.get_by_text("No job yet.")).to_be_visible()
        await api.run("waits", "1")
        # The list learns of it by itself.
        row = page.get_by_role("row", name="waits")
        await expect(row).to_contain_text("Running", timeout=120_000)
        await row.get_by_role("link", name="1", exact=True).click()
        await expect(page.locator("td.task")).to_have_text("Wait", timeout=120_000)
        await page.get_by_role("button", name="Cancel").click()
        await page.get_by_role("button", name="Cancel job 1").click()
        await expect(page.locator(".head [role=status]")).to_contain_text("Canceled", timeout=120_000)
        assert (await api.job("1"))["status"] == "CANCELED"
        await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


async def test_lost_sockets_lose_no_text(
    api: Api, add_recipe: Callable[[str, str], None], data_dir: Path, go: Path
) -> None:
    add_recipe("drip", drip_until(go))
    await api.create_server()
    async with browsing(api, viewport={"width": 1280, "height": 40_000}) as browser:
        page = browser.page
        await browser.open()
        await configure(page, "here", "drip")
        status = page.locator(".head [role=status]")
        await expect(status).to_have_text("Running ▶️", timeout=120_000)
        await page.evaluate(LISTEN)
        shown = 0
        for _ in range(20):
            # Each cut comes after new text, so that there is something to lose or to repeat.
            shown = await more_than(page, shown)
            ups = int(await page.locator(".wire").get_attribute("data-ups") or 0)
            cut(api)
            await expect(page.locator(".wire.up")).to_have_attribute("data-ups", str(ups + 1), timeout=60_000)
            # The job's state is its own matter.
            await expect(status).to_have_text("Running ▶️")
        await more_than(page, 360)
        go.touch()
        said = await page.evaluate("said")
        assert set(said) == {"Live", "Connection lost. Reconnecting; nothing will be missed."}
        assert len(said) >= 40
        await expect(status).to_have_text("Finished ✅", timeout=120_000)
        await expect(page.get_by_text(re.compile(r"^\d+ lines · whole$"))).to_be_visible(timeout=120_000)
        expected = await lines_of(data_dir, 1)
        assert len(expected) > 360
        await expect_rows(page, expected)


def drip_until(go: Path) -> str:
    """DRIP, for as long as that file is not there."""
    pause = "pause: 0.2"
    return DRIP.replace("range(120)", "range(3000)").replace(pause, f"{pause}, break_when: [\"'{go}' is exists\"]")


async def more_than(page: Page, shown: int) -> int:
    """How many rows are drawn, once there are more than so many."""
    await expect(page.locator(".row").nth(shown)).to_be_attached(timeout=120_000)
    return await page.locator(".row").count()


def cut(api: Api) -> None:
    """Break every connection, as a network does."""
    server: Any = api.client.server
    for connection in server.runner.server.connections:
        if connection.transport is not None:
            connection.transport.abort()


async def test_signing_in(start_app: StartApp) -> None:
    api = await start_app(token=TOKEN)
    await api.create_server()
    async with browsing(api) as browser:
        page = browser.page
        await browser.open("#/servers")
        await page.get_by_label("Token").fill("wrong-horse")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_have_text("This is not the token of this server.")
        await page.get_by_label("Token").fill(TOKEN)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("link", name="here")).to_be_visible()
        await expect(page.locator(".wire.up")).to_be_visible()

        seen = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        assert seen == '[{},{},""]'
        (cookie,) = await page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"], TOKEN in cookie["value"]) == (True, "Strict", False)

        await page.reload()
        await expect(page.get_by_role("link", name="here")).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("Token")).to_be_visible()
        assert await page.context.cookies() == []


async def test_french_dark_and_narrow(api: Api) -> None:
    await api.create_server(name="un-serveur-au-nom-plutôt-long", tags=["web", "staging", "paris"])
    job = await api.run("base", "1")
    await api.finished(job["id"])
    look = {"locale": "fr-FR", "color_scheme": "dark", "viewport": {"width": 360, "height": 740}, "has_touch": True}
    async with browsing(api, **look) as browser:
        page = browser.page
        for place, heading in (("#/", "Serveurs"), ("#/jobs", "Exécutions"), ("#/jobs/1", "Exécution 1 · base"),
                               ("#/servers/new", "Ajouter un serveur"), ("#/recipes", "Recettes")):  # fmt: skip
            await browser.open(place)
            await expect(page.get_by_role("heading", name=heading)).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
        assert await page.evaluate("[document.documentElement.lang, getComputedStyle(document.body).colorScheme]") == [
            "fr",
            "light dark",
        ]
        await browser.open("#/jobs/1")
        await expect(page.locator(".head [role=status]")).to_have_text("Terminé ✅")
        await page.get_by_label("Langue").select_option("en")
        await expect(page.locator(".head [role=status]")).to_have_text("Finished ✅")
        await page.reload()
        await expect(page.locator(".head [role=status]")).to_have_text("Finished ✅")


async def test_more_servers_than_one_page(api: Api) -> None:
    for number in range(103):
        await api.create_server(name=f"server-{number:03}")
    async with browsing(api) as browser:
        page = browser.page
        await browser.open()
        await expect(page.get_by_text("103 servers")).to_be_visible()
        await expect(page.locator("tbody tr")).to_have_count(100)
        await page.get_by_role("button", name="Show more").click()
        await expect(page.locator("tbody tr")).to_have_count(103)
        await page.get_by_label("Select all servers").check()
        await expect(page.get_by_role("button", name="Configure now (103)")).to_be_enabled()
        await page.get_by_label("Find by name").fill("server-10")
        await expect(page.locator("tbody tr")).to_have_count(3)
        await expect(page.get_by_text("100 selected servers are not in this list.")).to_be_visible()
        await page.get_by_label("Select all servers").uncheck()
        await expect(page.get_by_role("button", name="Configure now (100)")).to_be_enabled()
