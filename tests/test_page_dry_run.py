"""A dry run is told from a real one wherever a job is named."""

import pytest
from playwright.async_api import Page, expect

from tests.api import Api
from tests.browser import browsing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LANGUAGES = [("en-US", "Dry run", "Finished ✅"), ("fr-FR", "Simulation", "Terminé ✅")]


async def marks(page: Page, place: str) -> list[str]:
    """The rows of a list that are marked, by the number of their job."""
    marked: list[str] = await page.locator(f"{place} tbody tr:has(.dry) th").all_inner_texts()
    return marked


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
            assert await marks(page, "main") == marked, place
            await expect(page.locator(".dry")).to_have_text([word] * len(marked))
            # By its shape too.
            shapes = await page.locator(".dry").evaluate_all(
                "all => all.map((one) => getComputedStyle(one).borderTopStyle)"
            )
            assert shapes == ["dashed"] * len(marked)

        await browser.open("#/jobs/2")
        # What is read aloud when the state changes says it as well.
        await expect(page.locator(".head [role=status]")).to_have_text(f"{word} {finished}")
        assert (await page.title()).endswith(f" · base · {word}")
        await browser.open("#/jobs/1")
        await expect(page.locator(".head [role=status]")).to_have_text(finished)
        assert (await page.title()).endswith(" 1 · base")
        await expect(page.locator(".dry")).to_have_count(0)


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
