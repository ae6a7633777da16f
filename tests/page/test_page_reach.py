"""What a reader is led to is in sight: lines of the log, and the form that starts a job."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.conftest import StartApp
from tests.support.api import Api
from tests.support.browser import PATIENCE, Browser, browsing

pytestmark = [pytest.mark.timeout(300)]

DESKTOP, LAPTOP, PHONE = (1440, 900), (1024, 768), (390, 844)
WINDOWS = [DESKTOP, LAPTOP, PHONE, (1280, 500), (320, 256)]
LONG = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Much
      ansible.builtin.debug:
        msg: "before {{ item }}"
      loop: "{{ range(100) | list }}"
      when: server_name == 'server-0'
    - name: Break
      ansible.builtin.fail:
        msg: "{{ server_name }} is broken"
      ignore_errors: "{{ server_name == 'server-1' }}"
    - name: Much more
      ansible.builtin.debug:
        msg: "after {{ item }}"
      loop: "{{ range(100) | list }}"
"""
INPUTS = """
inputs:
  greeting: {type: str, required: false}
  pin: {type: str, required: false, no_log: true}
"""
FINE = "- hosts: all\n  gather_facts: false\n  tasks: [{name: Greet, ansible.builtin.debug: {msg: hello}}]\n"
# The part of an element that is in the window, and whether its middle is covered by something else.
SEEN = """(one) => {
  const { left, right, top, bottom } = one.getBoundingClientRect();
  const seen = Math.max(0, Math.min(bottom, innerHeight) - Math.max(top, 0));
  const found = document.elementFromPoint((Math.max(left, 0) + Math.min(right, innerWidth)) / 2, (top + bottom) / 2);
  return { whole: top >= 0 && bottom <= innerHeight, seen, covered: found === null || !one.contains(found) };
}"""


async def seen(page: Page, selector: str) -> dict[str, Any]:
    found: dict[str, Any] = await page.locator(selector).evaluate(SEEN)
    return found


async def expect_line(page: Page, text: str) -> None:
    """The line that is pointed at holds that text, lies in the log and in the window, and nothing covers it."""
    await expect(page.locator(".row.here")).to_contain_text(text)
    inside = """() => {
      const row = document.querySelector('.row.here');
      if (row === null) return false;
      const { top, bottom } = row.getBoundingClientRect();
      const log = row.closest('.log').getBoundingClientRect();
      const hit = document.elementFromPoint(log.left + 120, (top + bottom) / 2);
      return top >= Math.max(0, log.top) && bottom <= Math.min(innerHeight, log.bottom) && row.contains(hit);
    }"""
    async with asyncio.timeout(PATIENCE / 1000):
        while not await page.evaluate(inside):  # noqa: ASYNC110 (the page is looked at)
            await asyncio.sleep(0.05)


def in_window(size: tuple[int, int], **look: Any) -> dict[str, Any]:
    return {"viewport": {"width": size[0], "height": size[1]}, **look}


@pytest.fixture
async def broken(api: Api, add_recipe: Callable[[str, str], None]) -> Api:
    """A job that has failed in the middle of a long log, on nine of ten servers."""
    add_recipe("long", LONG)
    servers = [await api.create_server(name=f"server-{number}") for number in range(10)]
    await api.finished((await api.run("long", *servers))["id"])
    return api


@pytest.mark.parametrize("size", WINDOWS)
async def test_a_failure_is_in_sight(broken: Api, size: tuple[int, int]) -> None:
    async with browsing(broken, **in_window(size)) as browser:
        page = browser.page
        await browser.open("#/jobs/1")
        # Who opens a failed job sees the failure.
        await expect_line(page, "is broken")
        if size in {DESKTOP, LAPTOP}:
            assert (await seen(page, ".log"))["seen"] >= 0.6 * size[1]
        first = await page.locator(".row.here").get_attribute("data-line")
        await page.evaluate("scrollTo(0, 0)")
        await page.get_by_role("button", name="Next failure (9)").click()
        await expect_line(page, "server-")
        await expect(page.locator(".row.here")).not_to_have_attribute("data-line", str(first))
        if size in {DESKTOP, LAPTOP}:
            assert (await seen(page, ".log"))["seen"] >= 0.6 * size[1]
        # By key from anywhere, in both directions, and round the end.
        for key in ("e", "e", "E", "e", "e"):
            await page.evaluate("scrollTo(0, 0)")
            await page.locator(".log").evaluate("(log) => log.scrollTop = 0")
            await page.keyboard.press(key)
            await expect_line(page, "server-")
        # From the summary, which names each server.
        await page.evaluate("scrollTo(0, 0)")
        await page.locator(".failures .link").first.click()
        await expect_line(page, "server-")


@pytest.mark.parametrize("size", WINDOWS)
async def test_the_line_of_a_link_is_in_sight(broken: Api, size: tuple[int, int]) -> None:
    async with browsing(broken, **in_window(size)) as browser:
        page = browser.page
        for line in (1, 150, 400):
            await browser.open(f"#/jobs/1/L{line}")
            await page.reload()
            await expect(page.locator(".row.here")).to_have_attribute("data-line", str(line))
            await expect(page.get_by_text("lines · whole")).to_be_attached()
            await expect_line(page, "")
        # A task of the list, a find, and a step from there.
        await page.get_by_text("Tasks (3)").click()
        await page.locator("details").get_by_role("button", name="Break").click()
        await expect_line(page, "TASK [Break]")
        await page.get_by_placeholder("Search the log").fill("before 42")
        await expect(page.locator(".finds")).to_contain_text("0 of 1")
        await page.keyboard.press("Enter")
        await expect_line(page, "before 42")
        await page.locator(".log").focus()
        await page.evaluate("scrollTo(0, 0)")
        await page.keyboard.press("j")
        await expect_line(page, "")


async def test_a_failure_that_the_reader_has_left_out_comes_back(broken: Api) -> None:
    async with browsing(broken, **in_window(LAPTOP)) as browser:
        page = browser.page
        await browser.open("#/jobs/1")
        await expect(page.locator(".row.here")).to_be_visible()
        await page.get_by_label("Server", exact=True).select_option("server-2")
        # Of one server there is one failure, and it is the next one.
        await page.get_by_role("button", name="Next failure (1)").click()
        await expect_line(page, "server-2")
        await page.locator(".failures .link", has_text="server-0").click()
        await expect_line(page, "server-0")
        await expect(page.get_by_label("Server", exact=True)).to_have_value("")
        await page.get_by_role("button", name="Fold tasks").click()
        await page.keyboard.press("e")
        await expect_line(page, "server-")


async def test_a_reader_who_has_begun_is_left_alone(broken: Api) -> None:
    async with browsing(broken, **in_window(DESKTOP)) as browser:
        page = browser.page
        await browser.open("#/jobs/1")
        await expect(page.locator(".row.here")).to_be_visible()
        await page.mouse.move(700, 500)
        await page.locator(".panel").get_by_role("button", name="Close").click()
        await page.evaluate("scrollTo(0, 0)")
        # What comes or goes around the log does not take the page back to it.
        await page.get_by_role("button", name="Show all 10").click()
        await expect(page.get_by_role("button", name="Show fewer")).to_be_visible()
        await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert await page.evaluate("scrollY") == 0


async def many_servers(api: Api, count: int = 105) -> None:
    for number in range(count):
        await api.create_server(name=f"server-{number:03}")


@pytest.mark.parametrize("size", [DESKTOP, LAPTOP, PHONE])
async def test_the_button_follows_the_selection(
    api: Api, add_recipe: Callable[[str, str], None], size: tuple[int, int]
) -> None:
    add_recipe("fine", FINE)
    await many_servers(api)
    async with browsing(api, **in_window(size)) as browser:
        page = browser.page
        await browser.open()
        go = page.get_by_role("button", name="Configure now")
        await expect(go).to_be_disabled()
        await page.get_by_label("Recipe", exact=True).select_option("fine")
        last = page.get_by_label("Select server-099", exact=True)
        await last.check()
        place = await seen(page, ".order .main")
        assert place["whole"]
        assert not place["covered"]
        await expect(page.locator(".sticky")).to_contain_text("1 selected")
        await expect(page.locator(".order")).to_contain_text("fine")
        # A key leads from the list to the form, and the button is near it.
        await last.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Recipe", exact=True)).to_be_focused()
        await expect(go).to_be_enabled()
        tabs = 0
        while not await go.evaluate("(one) => one === document.activeElement"):
            await page.keyboard.press("Tab")
            tabs += 1
            assert tabs < 10
        # Nothing that has the focus is below the bar.
        await last.focus()
        for _ in range(40):
            await page.keyboard.press("Shift+Tab")
            covered = await page.evaluate(f"({SEEN})(document.activeElement)")
            assert covered["whole"]
            assert not covered["covered"]
        await go.click()
        await expect(page.get_by_role("heading", name="Job 1 · fine")).to_be_visible()


async def test_what_was_typed_is_there_again(
    api: Api, add_recipe: Callable[[str, str], None], ansible_dir: Any
) -> None:
    add_recipe("fine", FINE)
    (ansible_dir / "recipes/fine.yml").write_text(INPUTS)
    await api.create_server(name="first")
    await api.create_server(name="second")
    async with browsing(api) as browser:
        page = browser.page
        await browser.open()
        await page.get_by_label("Recipe", exact=True).select_option("fine")
        await page.get_by_label("greeting").fill("Grüß Gott")
        await page.get_by_label("pin").fill("1234-secret")
        await page.get_by_label("Dry run: check only").check()
        await page.get_by_label("Show differences").check()
        await page.get_by_label("Select second", exact=True).check()
        for way in ("Jobs", "Recipes"):
            await page.get_by_role("link", name=way, exact=True).click()
            await expect(page.get_by_role("heading", name=way)).to_be_visible()
            await page.get_by_role("link", name="Servers", exact=True).click()
            await expect_typed(browser, pin="1234-secret")
        await page.get_by_role("button", name="Configure now (1)").click()
        await expect(page.locator(".head [role=status]")).to_have_text("Dry run Finished ✅", timeout=120_000)
        await page.go_back()
        # A secret is not kept for longer than it is needed.
        await expect_typed(browser, pin="")
        assert "1234-secret" not in await page.evaluate("JSON.stringify([localStorage, sessionStorage, history.state])")
        await page.get_by_role("button", name="Select none").click()
        await expect(page.get_by_text("Select at least one server.")).to_be_visible()
    job = (await api.ask('{ job(id: "1") { check extraVars servers { name } } }'))["job"]
    assert job == {"check": True, "extraVars": {"greeting": "Grüß Gott"}, "servers": [{"name": "second"}]}


async def expect_typed(browser: Browser, pin: str) -> None:
    page = browser.page
    await expect(page.get_by_label("greeting")).to_have_value("Grüß Gott")
    await expect(page.get_by_label("pin")).to_have_value(pin)
    await expect(page.get_by_label("Recipe", exact=True)).to_have_value("fine")
    await expect(page.get_by_label("Dry run: check only")).to_be_checked()
    await expect(page.get_by_label("Show differences")).to_be_checked()
    await expect(page.get_by_label("Select second", exact=True)).to_be_checked()
    await expect(page.get_by_label("Select first", exact=True)).not_to_be_checked()


async def test_what_was_typed_is_gone_with_who_typed_it(start_app: StartApp) -> None:
    api = await start_app(token="correct-horse")
    await api.create_server(name="first")
    async with browsing(api) as browser:
        page = browser.page
        for typed in ("", ""):
            await browser.open()
            await page.get_by_label("Token").fill("correct-horse")
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.get_by_label("Variables, as JSON")).to_have_value(typed)
            await expect(page.get_by_label("Select first", exact=True)).not_to_be_checked()
            await page.get_by_label("Variables, as JSON").fill('{"a": 1}')
            await page.get_by_label("Select first", exact=True).check()
            await page.get_by_role("button", name="Sign out").click()
            await expect(page.get_by_label("Token")).to_be_visible()


@pytest.mark.parametrize("size", [DESKTOP, LAPTOP, PHONE])
async def test_a_recipe_leads_to_the_form(
    api: Api, add_recipe: Callable[[str, str], None], size: tuple[int, int]
) -> None:
    add_recipe("fine", FINE)
    await many_servers(api, 60)
    async with browsing(api, **in_window(size)) as browser:
        page = browser.page
        await browser.open("#/recipes/fine")
        await page.get_by_role("link", name="Run it on servers").click()
        recipe = page.get_by_label("Recipe", exact=True)
        await expect(recipe).to_have_value("fine")
        await expect(recipe).to_be_focused()
        place = await seen(page, "#recipe")
        assert place["whole"]
        assert not place["covered"]
        # What is chosen since holds for who leaves and comes back; a link to another recipe counts again.
        await recipe.select_option("base")
        await page.get_by_label("Variables, as JSON").fill('{"a": 1}')
        await page.get_by_role("link", name="Jobs", exact=True).click()
        await page.go_back()
        await expect(recipe).to_have_value("base")
        await expect(page.get_by_label("Variables, as JSON")).to_have_value('{"a": 1}')
        await browser.open("#/run/fine")
        await page.reload()
        await expect(recipe).to_have_value("fine")
        await expect(recipe).to_be_focused()


async def test_a_recipe_that_is_gone_is_not_taken_for_another(api: Api) -> None:
    await api.create_server(name="first")
    async with browsing(api) as browser:
        page = browser.page
        await browser.open("#/")
        await page.get_by_label("Select first", exact=True).check()
        await expect(page.get_by_role("button", name="Configure now (1)")).to_be_enabled()
        await browser.open("#/run/nothing")
        await expect(page.get_by_text("There is no recipe nothing any more.")).to_be_visible()
        await expect(page.get_by_role("button", name="Configure now (1)")).to_be_disabled()
        await page.get_by_label("Recipe", exact=True).select_option("base")
        await expect(page.get_by_role("button", name="Configure now (1)")).to_be_enabled()
