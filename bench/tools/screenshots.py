"""The pictures of the README: `make screenshots` takes them of a real server whose jobs really run.

Each view in light and dark, into docs/pictures. The colours of a picture are counted down, so that it stays small.
"""

import io
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench.rig.server import ROOT, Server
from tests.support.browser import ARGUMENTS, find_chromium

PICTURES = ROOT / "docs/pictures"
SIZE = {"width": 1100, "height": 720}
WIDE = {"width": 1280, "height": 720}
PHONE = {"width": 390, "height": 844}
COLOURS = 255
PRETENDED = "correct-horse"
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
SERVERS = (
    ("web-1", "192.0.2.11", ["web", "paris"]),
    ("web-2", "192.0.2.12", ["web", "paris"]),
    ("web-3", "192.0.2.21", ["web", "lyon"]),
    ("db-1", "192.0.2.31", ["db", "paris"]),
    ("cache-1", "192.0.2.41", ["cache"]),
)
# It stands still in its middle, so that there is time for a picture.
RELEASE = """---
- name: Release
  hosts: all
  gather_facts: false
  tasks:
    - name: Look for the release
      ansible.builtin.stat:
        path: /
    - name: Check the configuration
      ansible.builtin.debug:
        msg: "{{ server_name }} takes {{ version | default('4.2.0') }}"
    - name: Unpack the release
      ansible.builtin.command: echo {{ item }}
      changed_when: true
      loop: [app, assets, translations]
    - name: Migrate the database
      ansible.builtin.assert:
        that: server_name != broken | default('')
        fail_msg: "column orders.total is missing: run the migration of 4.1.0 first"
    - name: Wait for the service
      ansible.builtin.wait_for:
        path: %s
        sleep: 1
"""


def main() -> None:
    """Take all of them."""
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir()
    expect.set_options(timeout=60_000)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        room = Path(folder)
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        with serving(room, go=room / "go") as server:
            jobs = fill(server, room / "go")
            for scheme in SCHEMES:
                take(browser, server, scheme, jobs)
            (room / "go").touch()
            finish(server, jobs["running"])
        with serving(room / "locked", go=room / "go", PLAYCAST_TOKEN=PRETENDED) as server:
            for scheme in SCHEMES:
                with looking(browser, server, scheme) as page:
                    page.goto(server.url)
                    expect(page.get_by_label("Token")).to_be_visible()
                    keep(page, "sign-in", scheme)
        browser.close()


@contextmanager
def serving(room: Path, *, go: Path, **settings: str) -> Iterator[Server]:
    """A server with the recipes that come along, and RELEASE."""
    room.mkdir(exist_ok=True)
    ansible = room / "ansible"
    shutil.copytree(ROOT / "ansible", ansible)
    (ansible / "playbooks/release.yml").write_text(RELEASE % go)
    with Server(room, "playcast serve", True, PLAYCAST_ANSIBLE_DIR=str(ansible), **settings) as server:  # noqa: FBT003 (it is quiet)
        yield server


def fill(server: Server, go: Path) -> dict[str, int]:
    """Servers and jobs as a team has them; the numbers of those that are shown."""
    ids = [
        server.add_server(name=name, host=host, user="deploy", tags=tags, variables={"site": tags[-1]})
        for name, host, tags in SERVERS
    ]
    go.touch()
    for recipe, of in (("base", ids), ("demo", ids[:3]), ("base", ids[3:]), ("release", ids[3:4])):
        finish(server, server.run(recipe, *of))
    failed = server.run("release", *ids[:3], version="4.2.0", broken="web-2")
    finish(server, failed)
    go.unlink()
    running = server.run("release", *ids[2:], version="4.2.1")
    wait_for(lambda: "Wait for the service" in str(ask_job(server, running)))
    return {"failed": failed, "running": running}


def take(browser: Browser, server: Server, scheme: Scheme, jobs: dict[str, int]) -> None:
    """Every view in one scheme."""
    with looking(browser, server, scheme) as page:
        page.goto(server.url)
        page.get_by_label("Select web-1", exact=True).check()
        page.get_by_label("Select web-2", exact=True).check()
        page.get_by_label("Recipe", exact=True).select_option("demo")
        keep(page, "servers", scheme)
        page.goto(f"{server.url}/#/servers/1")
        expect(page.get_by_label("Host or address")).to_have_value("192.0.2.11")
        keep(page, "server", scheme)
        page.goto(f"{server.url}/#/jobs")
        expect(page.locator("tbody tr")).to_have_count(6)
        keep(page, "jobs", scheme)
        page.goto(f"{server.url}/#/recipes/demo")
        expect(page.locator("tbody tr")).not_to_have_count(0)
        keep(page, "recipe", scheme)
        page.goto(f"{server.url}/#/jobs/{jobs['running']}")
        expect(page.get_by_text("Wait for the service").first).to_be_visible()
        page.get_by_role("button", name="Times").click()
        keep(page, "job", scheme)
        page.goto(f"{server.url}/#/jobs/{jobs['failed']}")
        page.get_by_role("button", name="Next failure").click()
        page.locator(".row.failed").first.click()
        expect(page.locator(".panel")).to_be_visible()
        keep(page, "failure", scheme)
    with looking(browser, server, scheme, viewport=WIDE) as page:
        page.goto(f"{server.url}/graphql")
        expect(page.locator(".graphiql-query-editor")).to_contain_text("servers")
        page.locator(".graphiql-execute-button").click()
        expect(page.locator(".result-window")).to_contain_text("web-1")
        keep(page, "graphiql", scheme)
    with looking(browser, server, scheme, viewport=PHONE, locale="fr-FR") as page:
        page.goto(f"{server.url}/#/jobs/{jobs['failed']}")
        expect(page.locator(".row.failed").first).to_be_visible()
        keep(page, "phone", scheme)


@contextmanager
def looking(browser: Browser, server: Server, scheme: Scheme, **given: Any) -> Iterator[Page]:
    """A page in one scheme."""
    context = browser.new_context(
        base_url=server.url, **{"color_scheme": scheme, "locale": "en-GB", "viewport": SIZE, **given}
    )
    page = context.new_page()
    page.set_default_timeout(30_000)
    try:
        yield page
    finally:
        context.close()


def keep(page: Page, name: str, scheme: str) -> None:
    """Take the picture, once nothing moves."""
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.mouse.move(0, 0)
    # A head that stays in sight would stand in the middle of the whole page.
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(500)
    taken = page.screenshot(full_page=True, animations="disabled", caret="hide")
    smaller(Image.open(io.BytesIO(taken)).convert("RGB")).save(PICTURES / f"{name}-{scheme}.png", optimize=True)


def smaller(picture: Image.Image) -> Image.Image:
    """The same in its most frequent colours: areas and text stay as they are, the edges of letters nearly so."""
    counted = picture.getcolors(picture.width * picture.height) or []
    frequent = [colour for _, colour in sorted(counted, reverse=True)[:COLOURS]]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in frequent for part in cast("tuple[int, int, int]", colour)])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def finish(server: Server, number: int) -> None:
    """Wait for the end of a job."""
    wait_for(lambda: ask_job(server, number)["endedAt"] is not None)


def ask_job(server: Server, number: int) -> dict[str, Any]:
    """How a job stands."""
    query = "query($id: ID!) { job(id: $id) { endedAt hosts { currentTask } } }"
    answer: dict[str, Any] = server.ask(query, id=str(number))["job"]
    return answer


def wait_for(holds: Callable[[], object]) -> None:
    """Ask until it holds."""
    for _ in range(600):
        if holds():
            return
        time.sleep(0.2)
    raise TimeoutError("a job does not get on")


if __name__ == "__main__":
    main()
