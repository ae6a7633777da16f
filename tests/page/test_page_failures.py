"""What went wrong is said once, in names that people know, and so that it can be read."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.page.test_page_walk import lines_of
from tests.support.api import Api
from tests.support.browser import browsing, expect_rows

pytestmark = [pytest.mark.timeout(300)]

MANY = 24
FULL = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Check the disk
      ansible.builtin.fail:
        msg: "{{ server_name }}: /srv on 192.0.2.{{ number }} is {{ 70 + (number | int) }} % full"
      vars:
        number: "{{ server_name[-2:] | int }}"
      when: server_name != 'other'
    - name: Check the memory
      ansible.builtin.fail:
        msg: not enough memory
"""
TRACEBACK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: List
      ansible.builtin.command: seq -f 'row %g' 3
    - name: Migrate
      ansible.builtin.command:
        cmd: python3 -
        stdin: |
          def load(text):
              raise ValueError(text)
          load("a \\"quoted\\" word")
"""
AWAY = "- hosts: all\n  gather_facts: false\n  tasks: [{name: Ask, ansible.builtin.ping: {}}]\n"
LONG_NAMES = ["x" * 64, "many words in one name, and each of them is there for a reason", "a.b-" * 15]


async def test_one_cause_is_said_once(api: Api, add_recipe: Callable[[str, str], None]) -> None:
    add_recipe("full", FULL)
    servers = [await api.create_server(name=f"web-{number:02}") for number in range(1, MANY + 1)]
    await api.finished((await api.run("full", *servers, await api.create_server(name="other")))["id"])
    async with browsing(api) as browser:
        page = browser.page
        await browser.open("#/jobs/1")
        causes = page.locator(".failures > li")
        await expect(causes).to_have_count(2)
        await expect(causes.nth(0)).to_contain_text(re.compile(r"Check the disk 24 serversweb-\d\d: /srv on 192"))
        await expect(causes.nth(1)).to_have_text("Check the memory 1 servernot enough memoryother")
        # The run-on sentence of the job would say the same again.
        head = await page.locator(".head").inner_text()
        assert head.count("/srv on 192") == 1
        assert head.count("not enough memory") == 1
        assert "for other reasons" not in head

        # Nothing is cut off silently: every server, each with its line.
        links = causes.nth(0).locator(".link")
        await expect(links).to_have_count(5)
        await causes.nth(0).get_by_role("button", name="Show all 24").click()
        await expect(links).to_have_count(MANY)
        assert sorted(await links.all_inner_texts()) == [f"web-{number:02}" for number in range(1, MANY + 1)]
        await expect(causes.nth(0).locator("li", has_text="web-07")).to_contain_text(
            "web-07: /srv on 192.0.2.7 is 77 % full"
        )
        await links.filter(has_text="web-07").click()
        await expect(page.locator(".row.here")).to_contain_text("web-07: /srv on 192.0.2.7 is 77 % full")

        # The counters: those that failed come first, and all are there.
        table = page.locator(".hosts")
        await page.get_by_role("button", name="Show all 25").click()
        await expect(table.locator("tbody tr")).to_have_count(MANY + 1)
        assert await table.evaluate("(one) => one.scrollHeight <= one.clientHeight + 1")


async def test_what_the_list_does_not_say_stays_in_the_message(
    api: Api, add_recipe: Callable[[str, str], None]
) -> None:
    add_recipe("away", AWAY)
    ssh = {"credential": {"password": "x-secret-x"}, "host": "127.0.0.1", "port": 1}
    servers = [await api.create_server(name=f"far-{number}", **ssh) for number in range(2)]
    job = await api.finished((await api.run("away", *servers))["id"])
    async with browsing(api) as browser:
        page = browser.page
        await browser.open("#/jobs/1")
        await expect(page.locator(".failures > li")).to_have_text(
            [re.compile("^Ask not reached: 2 servers(far-0far-1|far-1far-0)$")]
        )
        await expect(page.locator(".trouble")).to_have_text(job["message"])
        assert "check host, port and firewall" in job["message"]


async def test_the_log_has_the_names_that_people_know(
    api: Api, add_recipe: Callable[[str, str], None], data_dir: Path
) -> None:
    add_recipe("full", FULL)
    names = ["web-08", "other", "näme with blanks"]
    await api.finished((await api.run("full", *[await api.create_server(name=name) for name in names]))["id"])
    whole = await lines_of(data_dir, 1)
    async with browsing(api, viewport={"width": 1280, "height": 4000}) as browser:
        page = browser.page
        await browser.open("#/jobs/1")
        await expect(page.locator(".row.here")).to_be_visible()
        fatal = page.locator(".row", has_text="fatal: [srv-1]")
        await expect(fatal.locator(".known")).to_have_attribute("data-name", "web-08")
        recap = page.locator(".row", has_text=re.compile("srv-3 +: ok="))
        await expect(recap.locator(".known")).to_have_attribute("data-name", "näme with blanks")
        shown = await fatal.locator(".known").evaluate("(one) => getComputedStyle(one, '::after').content")
        assert shown == '"web-08"'
        # What the log says, what is found in it and what is copied from it stays what ansible wrote.
        await expect_rows(page, whole)
        copied = await fatal.evaluate(
            "(row) => { getSelection().selectAllChildren(row); return getSelection().toString(); }"
        )
        assert copied.startswith("fatal: [srv-1]: FAILED!")
        await page.get_by_placeholder("Search the log").fill("WEB-08")
        await expect(page.locator(".finds")).to_contain_text("(ansible calls web-08 srv-1 here)")
        await page.get_by_placeholder("Search the log").fill("fatal: [srv-1]: F")
        await expect(page.locator(".finds")).to_contain_text("0 of 1")
        await expect(fatal.locator("mark")).to_have_text("fatal: [srv-1]: F")
        await fatal.click()
        await expect(page.locator(".panel strong")).to_contain_text(" · web-08")


@pytest.mark.parametrize("pretty", ["json", "yaml"])
async def test_a_traceback_can_be_read(
    api: Api, add_recipe: Callable[[str, str], None], ansible_dir: Path, pretty: str
) -> None:
    """Whatever an ansible.cfg says of the form of results."""
    config = ansible_dir / "ansible.cfg"
    config.write_text(config.read_text().replace("[defaults]", f"[defaults]\ncallback_result_format = {pretty}"))
    add_recipe("traceback", TRACEBACK)
    first, second = await api.create_server(name="first"), await api.create_server(name="second")
    await api.finished((await api.run("traceback", first, second))["id"])
    async with browsing(api) as browser:
        page = browser.page
        await browser.open("#/jobs/1")
        panel = page.locator(".panel")
        # It is open at once.
        await expect(panel.locator("strong")).to_contain_text(re.compile(r"Line \d+ · (first|second)"))
        read = [line.strip() for line in (await panel.inner_text()).split("\n")]
        for line in (
            "Traceback (most recent call last):",
            'File "<stdin>", line 3, in <module>',
            'File "<stdin>", line 2, in load',
            'ValueError: a "quoted" word',
        ):
            assert line in read, read
        assert any(line.startswith("stderr: |") for line in read)
        await page.get_by_role("button", name="Next failure (2)").click()
        await expect(panel).to_contain_text('ValueError: a "quoted" word')
        # Texts of several lines of a result that is fine, too.
        await page.get_by_label("Server", exact=True).select_option("second")
        await page.keyboard.press("g")
        await page.locator(".row", has_text="changed: [srv-2]").click()
        await expect(panel.locator("strong")).to_contain_text(" · second")
        assert {"row 1", "row 2", "row 3"} <= {line.strip() for line in (await panel.inner_text()).split("\n")}
        await expect(page.locator(".row", has_text="srv-1]")).to_have_count(0)
        await expect(page.locator(".failures > li")).to_have_count(1)
        await expect(page.locator(".failures .said")).to_contain_text("ValueError")


@pytest.mark.parametrize("width", [1440, 1024, 390, 320])
async def test_long_names_break_their_lines_and_not_the_page(
    api: Api, add_recipe: Callable[[str, str], None], width: int
) -> None:
    add_recipe("full", FULL)
    servers = [await api.create_server(name=name, host="localhost") for name in LONG_NAMES]
    await api.create_server(name="short", host=("h" * 60 + ".") * 4 + "org", user="u" * 32)
    await api.finished((await api.run("full", *servers))["id"])
    async with browsing(api, viewport={"width": width, "height": 800}) as browser:
        page = browser.page
        for place in ("#/", "#/jobs", "#/jobs/1", "#/servers/1"):
            await browser.open(place)
            await expect(page.get_by_text(LONG_NAMES[0]).first).to_be_attached()
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
            if width >= 1024:
                wide = await page.locator(".wide").evaluate_all(
                    "all => all.map((one) => one.scrollWidth - one.clientWidth)"
                )
                assert wide == [0] * len(wide), place
        await browser.open("#/")
        name = page.get_by_role("link", name=LONG_NAMES[0])
        await name.scroll_into_view_if_needed()
        inside = "(one) => [one, one.closest('th')].map((part) => part.getBoundingClientRect().right)"
        link, cell = await name.evaluate(inside)
        assert link <= cell
        await name.click()
        await page.get_by_role("button", name="Delete").click()
        assert await page.evaluate(
            "document.querySelector('dialog').scrollWidth <= document.querySelector('dialog').clientWidth"
        )
        await page.keyboard.press("Escape")
