"""What acts on servers: nothing is done that was not confirmed, and what is confirmed is done once."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import FloatRect, Locator, Page, Request, expect

from tests.page.test_page_walk import BROKEN, WAITS
from tests.support.api import Api
from tests.support.browser import browsing

pytestmark = [pytest.mark.timeout(300)]

GAPS = [50, 250, 600, 1500]
"""Milliseconds between two clicks: of a double click, and slower than any."""
STATUS = ".head [role=status]"
WINDOWS = [(1440, 900), (1024, 768), (390, 844), (320, 568)]
FINE = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Greet
      ansible.builtin.debug:
        msg: hello
"""


def watch(page: Page) -> list[str]:
    """The names of the mutations that the page sends from now on."""
    sent: list[str] = []

    def on_request(request: Request) -> None:
        query = (request.post_data_json or {}).get("query", "") if request.method == "POST" else ""
        if "mutation" in query:
            sent.append(query.split("mutation", 1)[1].split("(", 1)[0].strip())

    page.on("request", on_request)
    return sent


async def box_of(button: Locator) -> FloatRect:
    box = await button.bounding_box()
    assert box is not None
    return box


async def click_twice(page: Page, button: Locator, gap: int) -> None:
    """Two clicks at one place, whatever has come there meanwhile."""
    await button.scroll_into_view_if_needed()
    await expect(button).to_be_enabled()
    box = await box_of(button)
    place = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.click(*place)
    await page.wait_for_timeout(gap)
    await page.mouse.click(*place)


async def double_click(page: Page, button: Locator, _: int = 0) -> None:
    """The same as the browser tells it of one double click."""
    await expect(button).to_be_enabled()
    await button.dblclick()


async def drawn(page: Page) -> None:
    """What was to come of it has come: what is drawn later is drawn, and a request before this one is known."""
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    await page.evaluate("fetch(document.baseURI).then(() => null)")


async def numbers(api: Api) -> list[int]:
    return [job["number"] for job in (await api.ask("{ jobs { nodes { number } } }"))["jobs"]["nodes"]]


Twice = Callable[[Page, Locator, int], Awaitable[None]]
CLICKS: list[tuple[Twice, int]] = [*((click_twice, gap) for gap in GAPS), (double_click, 0)]


@pytest.mark.parametrize(("twice", "gap"), CLICKS)
async def test_two_clicks_run_nothing_again(
    api: Api, add_recipe: Callable[[str, str], None], twice: Twice, gap: int
) -> None:
    add_recipe("broken", BROKEN)
    first, second = await api.create_server(name="first"), await api.create_server(name="second")
    await api.finished((await api.run("broken", first, second))["id"])
    async with browsing(api) as browser:
        page = browser.page
        sent = watch(page)
        for name in ("Run again", "Failed servers only"):
            await browser.open("#/jobs/1")
            await page.reload()
            await expect(page.locator(".row.here")).to_be_visible()
            await twice(page, page.get_by_role("button", name=name), gap)
            await drawn(page)
            await expect(page.locator("dialog")).to_be_visible()
            await page.keyboard.press("Escape")
            await expect(page.locator("dialog")).to_have_count(0)
        await drawn(page)
        assert sent == []
    assert await numbers(api) == [1]


@pytest.mark.parametrize(("twice", "gap"), CLICKS)
async def test_two_clicks_cancel_nothing(
    api: Api, add_recipe: Callable[[str, str], None], go: Path, twice: Twice, gap: int
) -> None:
    add_recipe("waits", WAITS.format(go=go))
    server = await api.create_server()
    await api.run("waits", server)
    await api.run("waits", server)
    async with browsing(api) as browser:
        page = browser.page
        sent = watch(page)
        for number, status in ((1, "Running ▶️"), (2, "Waiting ⏳")):
            await browser.open(f"#/jobs/{number}")
            await expect(page.locator(STATUS)).to_have_text(status, timeout=60_000)
            await twice(page, page.get_by_role("button", name="Cancel"), gap)
            await drawn(page)
            await expect(page.locator("dialog")).to_be_visible()
        assert sent == []
        assert [(await api.job(one))["status"] for one in "12"] == ["RUNNING", "PENDING"]
        go.touch()
        assert [(await api.finished(one))["status"] for one in "12"] == ["SUCCESS", "SUCCESS"]


@pytest.mark.parametrize(("twice", "gap"), CLICKS)
async def test_two_clicks_delete_nothing(api: Api, twice: Twice, gap: int) -> None:
    await api.create_server(name="first")
    async with browsing(api) as browser:
        page = browser.page
        sent = watch(page)
        await browser.open("#/servers/1")
        await twice(page, page.get_by_role("button", name="Delete"), gap)
        await drawn(page)
        await expect(page.locator("dialog")).to_contain_text("The server itself and its jobs stay as they are.")
        assert sent == []
    assert (await api.ask("{ servers { totalCount } }"))["servers"]["totalCount"] == 1


@pytest.mark.parametrize(("twice", "gap"), CLICKS)
async def test_one_press_is_one_job(api: Api, add_recipe: Callable[[str, str], None], twice: Twice, gap: int) -> None:
    add_recipe("fine", FINE)
    async with browsing(api) as browser:
        page = browser.page
        sent = watch(page)
        await browser.open("#/servers/new")
        for label, value in (("Name", "here"), ("Host or address", "localhost"), ("User", "root")):
            await page.get_by_label(label, exact=True).fill(value)
        await page.get_by_label("This is the Playcast machine itself").check()
        await twice(page, page.get_by_role("button", name="Save"), gap)
        await page.get_by_label("Select here", exact=True).check()
        await page.get_by_label("Recipe", exact=True).select_option("fine")
        await twice(page, page.get_by_role("button", name="Configure now (1)"), gap)
        await expect(page.locator(STATUS)).to_have_text("Finished ✅", timeout=120_000)

        await page.get_by_role("button", name="Run again").click()
        await twice(page, page.get_by_role("button", name="Run job 1 again"), gap)
        await expect(page.get_by_role("heading", name="Job 2 · fine")).to_be_visible()
        await expect(page.locator(STATUS)).to_have_text("Finished ✅", timeout=120_000)
        await drawn(page)
        assert sent == ["CreateServer", "Run", "Retry"]
    assert await numbers(api) == [2, 1]


async def test_what_has_just_come_is_not_pressed_by_a_click_that_was_meant_for_another(api: Api) -> None:
    await api.create_server(name="first")
    async with browsing(api) as browser:
        page = browser.page
        await page.clock.install()
        await browser.open()
        await page.get_by_label("Select first", exact=True).check()
        await page.get_by_role("link", name="first", exact=True).click()
        await expect(page.get_by_role("button", name="Save")).to_be_enabled()
        await page.evaluate("window.now = Date.now()")
        await page.clock.pause_at(await page.evaluate("now + 60_000"))
        await page.get_by_role("button", name="Save").click()
        go = page.get_by_role("button", name="Configure now (1)")
        async with asyncio.timeout(60):
            while await go.count() == 0:
                await page.clock.run_for(20)
        await page.clock.run_for(500)
        await expect(go).to_be_disabled()
        await page.clock.run_for(700)
        await expect(go).to_be_enabled()


async def test_by_keyboard(api: Api, add_recipe: Callable[[str, str], None]) -> None:
    add_recipe("fine", FINE)
    first, second = await api.create_server(name="first"), await api.create_server(name="second")
    await api.finished((await api.run("fine", first, second))["id"])
    async with browsing(api) as browser:
        page = browser.page
        sent = watch(page)
        await browser.open("#/jobs/1")
        opener = page.get_by_role("button", name="Run again")
        await opener.focus()
        # The second of two quick presses does nothing, and neither does a key that is held.
        for _ in range(5):
            await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Run Job 1 · fine again?")
        await expect(dialog).to_be_visible()
        await expect(page.locator("dialog h2")).to_be_focused()
        await expect(dialog).to_contain_text("2 servers · first, second")
        await expect(dialog).to_contain_text("This is not a dry run: the servers may be changed.")
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        await expect(opener).to_be_focused()
        await page.keyboard.press("Space")
        await expect(page.get_by_role("button", name="Run job 1 again")).to_be_enabled()
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name="Do not run it")).to_be_focused()
        # Whatever has the focus behind it stays out of reach, and so do the keys of the log.
        await page.keyboard.press("/")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name="Run job 1 again")).to_be_focused()
        await drawn(page)
        assert sent == []
        await page.keyboard.press("Enter")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Job 2 · fine")).to_be_visible()
        await expect(page.locator("main")).to_be_focused()
        await expect(page.locator(STATUS)).to_have_text("Finished ✅", timeout=120_000)
        assert sent == ["Retry"]
    assert await numbers(api) == [2, 1]


async def test_a_job_that_ends_while_it_is_asked_about(
    api: Api, add_recipe: Callable[[str, str], None], go: Path
) -> None:
    add_recipe("waits", WAITS.format(go=go))
    await api.run("waits", await api.create_server())
    async with browsing(api) as browser:
        page = browser.page
        sent = watch(page)
        await browser.open("#/jobs/1")
        await expect(page.locator(STATUS)).to_have_text("Running ▶️", timeout=60_000)
        await page.get_by_role("button", name="Cancel").click()
        dialog = page.locator("dialog")
        await expect(dialog).to_contain_text("a command that was sent to a server already may go on there")
        await expect(page.get_by_role("button", name="Cancel job 1")).to_be_enabled()
        go.touch()
        await expect(dialog).to_contain_text("It has ended meanwhile", timeout=60_000)
        await expect(page.get_by_role("button", name="Cancel job 1")).to_be_disabled()
        await page.get_by_role("button", name="Let it go on").click()
        await expect(dialog).to_have_count(0)
        await expect(page.locator("main")).to_be_focused()
        await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
        assert sent == []
    assert (await api.job("1"))["status"] == "SUCCESS"


async def test_what_is_refused_is_said_where_it_was_asked(
    api: Api, add_recipe: Callable[[str, str], None], ansible_dir: Path
) -> None:
    add_recipe("fine", FINE)
    await api.finished((await api.run("fine", await api.create_server()))["id"])
    (ansible_dir / "playbooks/fine.yml").unlink()
    async with browsing(api) as browser:
        page = browser.page
        sent = watch(page)
        await browser.open("#/jobs/1")
        await page.get_by_role("button", name="Run again").click()
        await page.get_by_role("button", name="Run job 1 again").click()
        await expect(page.locator("dialog").get_by_role("alert")).to_contain_text("fine")
        # It can be tried again, and then is the same try for the server.
        add_recipe("fine", FINE)
        await page.get_by_role("button", name="Run job 1 again").click()
        await expect(page.get_by_role("heading", name="Job 2 · fine")).to_be_visible()
        assert sent == ["Retry", "Retry"]
    await api.finished("2")
    assert await numbers(api) == [2, 1]


@pytest.mark.parametrize(("locale", "words"), [("en-US", ("Cancel", "Run again")), ("fr-FR", ("Annuler", "Relancer"))])
async def test_each_button_has_its_place(
    api: Api, add_recipe: Callable[[str, str], None], go: Path, locale: str, words: tuple[str, str]
) -> None:
    """No button comes where another was a moment ago, however the rest of the page moves when the job ends."""
    add_recipe("waits", WAITS.format(go=go) + "    - name: Break\n      ansible.builtin.fail: {msg: it cannot work}\n")
    first, second = await api.create_server(name="first"), await api.create_server(name="second")
    await api.run("waits", first, second)
    cancel, again = words
    async with browsing(api, locale=locale) as browser:
        page = browser.page
        await browser.open("#/jobs/1")
        await expect(page.locator("td.task")).to_have_text(["Wait", "Wait"], timeout=60_000)
        before = {size: await _places(page, size) for size in WINDOWS}
        go.touch()
        await expect(page.locator(".status.error")).to_be_visible(timeout=60_000)
        await expect(page.get_by_role("button", name=cancel, exact=True)).to_have_count(0)
        for size in WINDOWS:
            for old, new in product(before[size].items(), (await _places(page, size)).items()):
                apart = old[1]["x"] + old[1]["width"] <= new[1]["x"] or new[1]["x"] + new[1]["width"] <= old[1]["x"]
                assert old[0] == new[0] or apart, (size, old, new)
        assert list(before[1440, 900]) == [cancel, again, *list(before[1440, 900])[2:]]


async def _places(page: Page, size: tuple[int, int]) -> dict[str, FloatRect]:
    """Where each button of the job is in a window of that size, also those that are not there now."""
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    buttons = await page.locator(".head .actions > button").all()
    return {await button.text_content() or "": await box_of(button) for button in buttons}


@pytest.mark.parametrize("size", WINDOWS)
async def test_no_answer_lies_where_the_question_was_asked(
    api: Api, add_recipe: Callable[[str, str], None], go: Path, size: tuple[int, int]
) -> None:
    add_recipe("broken", BROKEN)
    add_recipe("waits", WAITS.format(go=go))
    servers = [await api.create_server(name=f"server-{number}") for number in range(3)]
    await api.finished((await api.run("broken", *servers))["id"])
    await api.run("waits", servers[0])
    async with browsing(api, viewport={"width": size[0], "height": size[1]}) as browser:
        page = browser.page
        for place, name in (
            ("#/jobs/1", "Run again"),
            ("#/jobs/1", "Failed servers only"),
            ("#/jobs/2", "Cancel"),
            ("#/servers/1", "Delete"),
        ):
            await browser.open(place)
            opener = page.get_by_role("button", name=name)
            # Wherever in the window it stands.
            for block in ("start", "center", "end"):
                await expect(opener).to_be_enabled(timeout=60_000)
                await opener.evaluate(f"(one) => one.scrollIntoView({{ block: '{block}' }})")
                asked = await box_of(opener)
                await opener.evaluate("(one) => one.click()")
                await expect(page.locator("dialog")).to_be_visible()
                for answer in await page.locator("dialog button").all():
                    box = await box_of(answer)
                    apart: Any = (
                        box["x"] >= asked["x"] + asked["width"],
                        box["x"] + box["width"] <= asked["x"],
                        box["y"] >= asked["y"] + asked["height"],
                        box["y"] + box["height"] <= asked["y"],
                    )
                    assert any(apart), (name, block, asked, box)
                    assert box["y"] >= 0, (name, block)
                    assert box["y"] + box["height"] <= size[1], (name, block)
                await page.keyboard.press("Escape")
                await expect(page.locator("dialog")).to_have_count(0)
