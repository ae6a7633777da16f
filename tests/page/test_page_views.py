"""What the views of the page offer, each thing once, in a real browser."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from models.job import ProvisionJob
from tests.page.test_page_walk import WAITS, configure, lines_of
from tests.support.api import Api
from tests.support.browser import browsing, expect_rows, rows

pytestmark = [pytest.mark.timeout(300)]

TALL = {"width": 1280, "height": 4000}
HALF = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Greet
      ansible.builtin.debug:
        msg: "from {{ server_name }}"
    - name: Break
      ansible.builtin.fail:
        msg: not on {{ server_name }}
      when: server_name == 'second'
"""
RECIPES = ["base", "demo", "half"]
STATUS = ".head [role=status]"


async def two_servers(api: Api) -> list[str]:
    return [await api.create_server(name="first"), await api.create_server(name="second")]


async def expect_numbers(page: Page, jobs: list[str]) -> None:
    """The jobs of a list."""
    await expect(page.locator("tbody th")).to_have_text(jobs)


async def test_only_where_it_failed(api: Api, add_recipe: Callable[[str, str], None]) -> None:
    add_recipe("half", HALF)
    await api.finished((await api.run("half", *await two_servers(api)))["id"])
    async with browsing(api) as browser:
        page = browser.page
        await browser.open("#/jobs/1")
        await expect(page.locator(".failures > li")).to_have_text("Break 1 servernot on secondsecond")
        await page.get_by_role("button", name="Failed servers only").click()
        await expect(page.locator("dialog .names")).to_have_text("1 server · second")
        await page.get_by_role("button", name="Run job 1 again").click()
        await expect(page.get_by_role("heading", name="Job 2 · half")).to_be_visible()
        await expect(page.locator(STATUS)).to_contain_text("Error ❌", timeout=60_000)
        await expect(page.locator(".hosts tbody th")).to_have_text("second srv-2")
        # One server is all there is.
        await expect(page.get_by_role("button", name="Failed servers only")).to_have_count(0)
    again = await api.ask('{ job(id: "2") { servers { name } retryOf { number } } }')
    assert again["job"] == {"servers": [{"name": "second"}], "retryOf": {"number": 1}}


async def test_the_log_of_one_server(api: Api, add_recipe: Callable[[str, str], None], data_dir: Path) -> None:
    add_recipe("half", HALF)
    await api.finished((await api.run("half", *await two_servers(api)))["id"])
    whole = await lines_of(data_dir, 1)
    async with browsing(api, viewport=TALL) as browser:
        page = browser.page
        await browser.open("#/jobs/1")
        await expect(page.get_by_text(f"{len(whole)} lines · whole")).to_be_visible()
        await page.get_by_role("button", name="first", exact=True).click()
        await expect(page.locator(".row", has_text="[srv-2]")).to_have_count(0)
        mine = await rows(page)
        assert [line for line in mine if "srv-1" in line] == [line for line in whole if "srv-1" in line]
        assert '        "msg": "from second"' not in mine
        await page.get_by_label("Server", exact=True).select_option("all servers")
        await expect(page.locator(".row", has_text="[srv-2]")).not_to_have_count(0)
        await expect_rows(page, whole)

        await page.get_by_role("button", name="Fold tasks").click()
        await expect(page.locator(".row.closed")).to_have_text(
            [re.compile(r"TASK \[Greet\]"), re.compile(r"TASK \[Break\]")]
        )
        assert [line for line in await rows(page) if "srv-1" in line] == [
            line for line in whole if line.startswith("srv-1")
        ]
        await page.get_by_role("button", name="Unfold tasks").click()
        await page.get_by_text("Tasks (2)").click()
        took = page.locator("details li")
        await expect(took).to_have_text([re.compile(rf"^{task} \d+\.\d s$") for task in ("Greet", "Break")])
        await took.get_by_role("button", name="Break").click()
        await expect(page.locator(".row.here")).to_contain_text("TASK [Break]")

        await page.get_by_role("button", name="Times").click()
        await expect(page.locator(".row.here time")).to_have_text(re.compile(r"^\d{1,2}:\d\d:\d\d [AP]M$"))
        number = whole.index(next(line for line in whole if "TASK [Greet]" in line)) + 1
        await page.locator(f".row[data-line='{number}'] > a").click()
        await expect(page).to_have_url(re.compile(rf"#/jobs/1/L{number}$"))


async def test_the_log_can_be_downloaded_while_it_grows(
    api: Api, add_recipe: Callable[[str, str], None], go: Path, tmp_path: Path
) -> None:
    add_recipe("waits", WAITS.format(go=go))
    await api.create_server()
    async with browsing(api) as browser:
        page = browser.page
        await browser.open()
        await configure(page, "here", "waits")
        await expect(page.locator("td.task")).to_have_text("Wait", timeout=120_000)
        await expect(page.locator(".row", has_text="TASK [Wait]")).to_be_visible()
        async with page.expect_download() as told:
            await page.get_by_role("link", name="Download").click()
        taken = await told.value
        assert taken.suggested_filename == "job-1.log"
        await taken.save_as(tmp_path / "taken")
        assert "TASK [Wait]" in (tmp_path / "taken").read_text()
        go.touch()
        await expect(page.locator(STATUS)).to_have_text("Finished ✅", timeout=60_000)


@pytest.mark.parametrize("minutes", [-10, 10])
async def test_a_browser_whose_clock_is_wrong(
    api: Api, add_recipe: Callable[[str, str], None], go: Path, minutes: int
) -> None:
    add_recipe("waits", WAITS.format(go=go))
    async with browsing(api) as browser:
        page = browser.page
        await page.add_init_script(f"const now = Date.now; Date.now = () => now() + {minutes} * 60_000")
        await api.run("waits", await api.create_server(name="web-1"))
        await browser.open("#/jobs/1")
        await expect(page.locator(".head .duration")).to_have_text(re.compile(r"^[1-9]\d? s$"), timeout=60_000)
        go.touch()
        await expect(page.locator(STATUS)).to_contain_text("Finished ✅", timeout=60_000)


async def test_a_server_is_changed_and_removed(api: Api) -> None:
    await two_servers(api)
    async with browsing(api) as browser:
        page = browser.page
        await browser.open()
        await page.get_by_role("link", name="second").click()
        await expect(page.get_by_role("heading", name="Edit second")).to_be_visible()
        name = page.get_by_label("Name", exact=True)
        # What the server refuses names its field, and leaves what was typed.
        await name.fill("first")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("alert")).to_contain_text("name: ")
        await expect(name).to_have_value("first")
        await name.fill("third")
        await page.get_by_label("Variables, as JSON").fill("{no json")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("alert")).to_have_text("Variables, as JSON: This is not JSON.")
        await page.get_by_label("Variables, as JSON").fill('{"site": "lyon"}')
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("row", name="third")).to_be_visible()
        changed = await api.ask('{ server(id: "2") { name auth variables } }')
        assert changed["server"] == {"name": "third", "auth": "LOCAL", "variables": {"site": "lyon"}}

        await page.get_by_role("link", name="third").click()
        await page.get_by_role("button", name="Delete").click()
        await page.get_by_role("button", name="Delete third").click()
        await expect(page.get_by_text("1 server", exact=True)).to_be_visible()
        await expect(page.get_by_role("row", name="third")).to_have_count(0)


async def test_jobs_are_filtered_and_recipes_show_theirs(api: Api, add_recipe: Callable[[str, str], None]) -> None:
    add_recipe("half", HALF)
    first, second = await two_servers(api)
    for recipe, server in (("half", first), ("half", second), ("base", first)):
        await api.finished((await api.run(recipe, server))["id"])
    async with browsing(api) as browser:
        page = browser.page
        await browser.open("#/jobs")
        await expect(page.locator("tbody tr")).to_have_count(3)
        await expect_numbers(page, ["3", "2", "1"])
        await page.get_by_label("Status").select_option("ERROR")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect_numbers(page, ["2"])
        await page.get_by_label("Status").select_option("any")
        await page.get_by_label("Recipe").fill("half")
        await expect(page.locator("tbody tr")).to_have_count(2)
        await expect_numbers(page, ["2", "1"])

        assert await page.locator("datalist option").evaluate_all("all => all.map((one) => one.value)") == RECIPES
        await page.get_by_label("Recipe").fill("hal")
        await expect(page.get_by_text("None fits.")).to_be_visible()

        await page.get_by_role("link", name="Servers").click()
        await page.get_by_label("Find by name").fill("fir")
        await expect(page.locator("tbody th")).to_have_text(["first"])
        await page.get_by_label("Find by name").fill("fourth")
        await expect(page.get_by_text("None fits.")).to_be_visible()

        await page.get_by_role("link", name="Recipes").click()
        await page.get_by_role("link", name="half", exact=True).click()
        await expect(page.get_by_role("heading", name="half")).to_be_visible()
        await expect(page.locator("tbody tr")).to_have_count(2)
        # A job that comes while somebody looks is there too.
        await api.run("half", first)
        await expect(page.locator("tbody tr")).to_have_count(3)
        await expect(page.get_by_role("row", name="4 half")).to_contain_text("Finished ✅", timeout=60_000)
        await page.get_by_role("link", name="Run it on servers").click()
        await expect(page.get_by_label("Recipe", exact=True)).to_have_value("half")


@pytest.mark.parametrize("given", ["1", "global"])
async def test_the_jobs_of_a_server_are_told_while_they_run(
    api: Api, add_recipe: Callable[[str, str], None], go: Path, given: str
) -> None:
    add_recipe("waits", WAITS.format(go=go))
    server = await api.create_server(name="first")
    async with browsing(api) as browser:
        page = browser.page
        await browser.open(f"#/servers/{server if given == 'global' else given}")
        await expect(page.get_by_text("No job yet.")).to_be_visible()
        await api.run("waits", server)
        await expect(page.get_by_role("row", name="1 waits")).to_contain_text("Running", timeout=60_000)
        go.touch()
        await expect(page.get_by_role("row", name="1 waits")).to_contain_text("Finished ✅", timeout=60_000)


async def test_check_and_extra_variables_reach_the_job(api: Api) -> None:
    await api.create_server(name="first")
    async with browsing(api) as browser:
        page = browser.page
        await browser.open()
        await page.get_by_label("Select first", exact=True).check()
        await page.get_by_label("Recipe", exact=True).select_option("base")
        await page.get_by_label("Dry run: check only, change nothing").check()
        await page.get_by_label("Show differences").check()
        await page.get_by_label("Variables, as JSON").fill("[1]")
        await page.get_by_role("button", name="Configure now (1)").click()
        await expect(page.get_by_role("alert")).to_contain_text("This is not JSON.")
        await page.get_by_label("Variables, as JSON").fill('{"colour": "grün"}')
        await page.get_by_role("button", name="Configure now (1)").click()
        await expect(page.locator(STATUS)).to_have_text("Dry run Finished ✅", timeout=60_000)
        await expect(page.locator(".head code")).to_have_text('{"colour":"grün"}')
    job = (await api.ask('{ job(id: "1") { check extraVars } }'))["job"]
    assert job == {"check": True, "extraVars": {"colour": "grün"}}
    assert (await ProvisionJob.get(id=1)).diff
