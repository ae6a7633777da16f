"""A dry run is told from a real one wherever a job is named."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.page.test_page_walk import WAITS
from tests.support.api import Api
from tests.support.browser import browsing

pytestmark = [pytest.mark.timeout(300)]

LANGUAGES = [("en-US", "Dry run", "Finished ✅"), ("fr-FR", "Simulation", "Terminé ✅")]
# A dry run skips it too, so it waits in both.
WAITING = WAITS.replace("    - name: Wait\n", "    - name: Wait\n      check_mode: false\n")


@pytest.mark.parametrize(("locale", "word", "finished"), LANGUAGES)
async def test_a_dry_run_is_marked_in_every_list_and_on_its_own_page(
    api: Api, locale: str, word: str, finished: str
) -> None:
    first, second = await api.create_server(name="first"), await api.create_server(name="second")
    await api.finished((await api.run("base", first, second))["id"])
    await api.finished((await api.run("base", first, check=True))["id"])
    async with browsing(api, locale=locale) as browser:
        page = browser.page
        for place, rows, marked in (
            ("#/jobs", 2, ["2"]),
            ("#/recipes/base", 2, ["2"]),
            ("#/servers/1", 2, ["2"]),
            ("#/servers/2", 1, []),
            ("#/", 2, ["first"]),
        ):
            await browser.open(place)
            await page.reload()
            await expect(page.locator("tbody tr:has(.status)")).to_have_count(rows)
            await expect(page.locator("main tbody tr:has(.dry) th")).to_have_text(marked)
            await expect(page.locator(".dry")).to_have_text([word] * len(marked))
            # By its shape too.
            shapes = await page.locator(".dry").evaluate_all(
                "all => all.map((one) => getComputedStyle(one).borderTopStyle)"
            )
            assert shapes == ["dashed"] * len(marked)

        await browser.open("#/jobs/2")
        # What is read aloud when the state changes says it as well.
        await expect(page.locator(".head [role=status]")).to_have_text(f"{word} {finished}")
        await expect(page).to_have_title(re.compile(f" · base · {word}$"))
        await browser.open("#/jobs/1")
        await expect(page.locator(".head [role=status]")).to_have_text(finished)
        await expect(page).to_have_title(re.compile(" 1 · base$"))
        await expect(page.locator(".dry")).to_have_count(0)


@pytest.mark.parametrize(("locale", "word", "finished"), LANGUAGES)
async def test_who_waits_for_a_dry_run_or_runs_it_again_knows(
    api: Api, add_recipe: Callable[[str, str], None], go: Path, locale: str, word: str, finished: str
) -> None:
    add_recipe("waits", WAITING.format(go=go))
    server = await api.create_server(name="first")
    await api.run("waits", server, check=True)
    await api.run("waits", server)
    async with browsing(api, locale=locale) as browser:
        page = browser.page
        await browser.open("#/jobs/2")
        await expect(page.locator(".hint:has(a[href='#/jobs/1']) .dry")).to_have_text(word, timeout=60_000)
        await expect(page.locator(".head [role=status] .dry")).to_have_count(0)
        await browser.open("#/")
        await expect(page.locator("tbody a[href='#/jobs/1'] .dry")).to_have_text(word)
        await expect(page.locator("tbody a[href='#/jobs/2'] .dry")).to_have_count(0)
        await browser.open("#/jobs/1")
        await page.locator(".actions > .danger").click()
        await expect(page.locator("dialog .dry")).to_have_text(word)
        await page.keyboard.press("Escape")

        go.touch()
        await expect(page.locator(".head [role=status]")).to_have_text(f"{word} {finished}", timeout=60_000)
        await page.locator(".actions > :nth-child(2)").click()
        await expect(page.locator("dialog .dry")).to_have_text(word)
        await page.locator("dialog .main").click()
        await expect(page.locator(".head [role=status]")).to_have_text(f"{word} {finished}", timeout=60_000)
        await expect(page.locator(".hint:has(a[href='#/jobs/1']) .dry")).to_have_text(word)
    await api.finished("2")
    jobs = (await api.ask("{ jobs { nodes { number check } } }"))["jobs"]["nodes"]
    assert jobs == [{"number": 3, "check": True}, {"number": 2, "check": False}, {"number": 1, "check": True}]


@pytest.mark.parametrize(("locale", "word", "_finished"), LANGUAGES)
async def test_what_is_about_to_be_a_dry_run_says_so_beside_the_button(
    api: Api, locale: str, word: str, _finished: str
) -> None:
    await api.create_server(name="first")
    async with browsing(api, locale=locale) as browser:
        page = browser.page
        await browser.open("#/")
        await expect(page.locator(".order")).to_contain_text("base")
        await expect(page.locator(".order .dry")).to_have_count(0)
        await page.locator("#configure input[type=checkbox]").first.check()
        await expect(page.locator(".order .dry")).to_have_text(word)
