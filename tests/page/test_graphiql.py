"""GraphiQL in a real browser, from files of its own: what it may load, what it can do, and who gets to see it."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from graphql import build_schema, parse, validate
from playwright.async_api import Page, expect

from gql.schema import make_schema
from playcast.routes.graphiql import GraphiQL
from runner.bus import LocalBus, Topic
from tests.conftest import StartApp
from tests.support.api import Api
from tests.support.browser import browsing
from tests.support.launchers import until
from web.build import DIST, WEB

TOKEN = "correct-horse"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    """`make test` builds it first."""
    if not (DIST / "graphiql.html").is_file():
        pytest.fail("GraphiQL is not built: make page")


async def visit(api: Api, **headers: str) -> tuple[int, str, str]:
    """Status, text and where else to go, of a browser that opens /graphql."""
    async with api.client.get("/graphql", headers={**BROWSER, **headers}, allow_redirects=False) as response:
        return response.status, await response.text(), response.headers.get("Location", "")


async def test_it_is_served_with_a_policy_of_its_own(api: Api) -> None:
    async with api.client.get("/graphql", headers=BROWSER) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "text/html")
        assert response.headers["Content-Security-Policy"] == POLICY
        assert response.headers["Cache-Control"] == "no-cache"
        text = await response.text()
    assert text == (DIST / "graphiql.html").read_text()
    names = re.findall(r'(?:src|href)="\./(graphiql/[^"]+)"', text)
    assert {Path(name).suffix for name in names} == {".js", ".css", ".svg"}
    for path in (DIST / "graphiql").iterdir():
        async with api.client.get(f"/graphiql/{path.name}") as response:
            assert response.status == (404 if path.suffix == ".gz" else 200)
            assert response.headers.get("Content-Security-Policy") == (None if path.suffix == ".gz" else POLICY)


def test_it_brings_the_licenses_of_what_it_is_made_of() -> None:
    named = re.findall(r"^## (\S+) - ", (DIST / "graphiql/LICENSES.md").read_text(), re.MULTILINE)
    assert {"graphiql", "graphql", "graphql-ws", "monaco-editor", "monaco-graphql", "react", "react-dom"} <= set(named)


def test_its_examples_fit_the_schema() -> None:
    found = re.findall(r"query: `(.*?)`", (WEB / "graphiql/examples.ts").read_text(), re.DOTALL)
    assert len(found) == 5
    schema = build_schema(make_schema().as_str())
    for example in found:
        assert validate(schema, parse(example)) == []
        # The editor has no room for more.
        assert max(map(len, example.splitlines())) <= 44


async def test_a_browser_without_the_cookie_is_sent_to_sign_in(start_app: StartApp) -> None:
    api = await start_app(token=TOKEN)
    assert await visit(api) == (303, "", "./?then=graphql")
    # Whoever shows a token, a wrong one too, is no browser that could sign in.
    assert (await visit(api, Authorization="Bearer wrong"))[0] == 401
    assert (await visit(api, **api.headers))[0] == 200
    assert (await visit(api, Accept="*/*"))[0] == 401
    async with api.client.get("/graphql", params={"query": "{ viewer { name } }"}, headers=BROWSER) as response:
        assert response.status == 401
    async with api.client.post("/graphql", json={"query": "{ viewer { name } }"}, headers=BROWSER) as response:
        assert response.status == 401


async def test_switched_off_there_is_none(start_app: StartApp) -> None:
    api = await start_app(token=TOKEN, graphiql=False)
    status, text, policy = await visit(api)
    told = {"message": "there is no page at this address: send operations by POST", "extensions": {"code": "NOT_FOUND"}}
    assert (status, json.loads(text), policy) == (404, {"errors": [told]}, "")
    (script,) = re.findall(r'src="\./(graphiql/[^"]+\.js)"', (DIST / "graphiql.html").read_text())
    async with api.client.get(f"/{script}") as response:
        assert response.status == 404


async def test_not_built_it_says_so(tmp_path: Path) -> None:
    async def show(_request: web.Request) -> web.StreamResponse:
        return GraphiQL(tmp_path / "nothing").show(signed_in=False)

    app = web.Application()
    app.add_routes([web.get("/graphql", show)])
    async with TestClient(TestServer(app)) as client, client.get("/graphql") as response:
        assert (response.status, await response.text()) == (
            200,
            "GraphiQL is not built here (make page builds it); the API at this address works without it.\n",
        )


async def choose(page: Page, tab: str) -> None:
    await page.locator(".graphiql-tab-button").get_by_text(tab, exact=True).click()
    await expect(page.locator(".graphiql-tab-active .graphiql-tab-button")).to_have_text(tab)
    # The editor comes after the tab, and what it holds is what runs.
    await shown(page, ".graphiql-query-editor", f" {tab}")


async def run(page: Page, tab: str) -> None:
    await choose(page, tab)
    await page.locator(".graphiql-execute-button").click()


async def answered(page: Page, text: str) -> None:
    """Wait for a text in the answer."""
    await shown(page, ".result-window", text)


async def shown(page: Page, place: str, text: str) -> None:
    """Wait for a text in an editor, which draws it with spaces that do not break."""
    await page.wait_for_function(
        "([place, text]) => document.querySelector(place)?.textContent.replaceAll('\\u00a0', ' ').includes(text)",
        arg=[place, text],
        timeout=30_000,
    )


async def test_its_examples_run_and_nothing_leaves_the_machine(
    buses: list[LocalBus], start_app: StartApp, add_recipe: Callable[[str, str], None]
) -> None:
    add_recipe("demo", "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n")
    api = await start_app(token=TOKEN)
    await api.create_server()
    async with browsing(api) as browser:
        page = browser.page
        await browser.open("graphql")
        await page.get_by_label("Token").fill(TOKEN)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(re.compile("/graphql$"))

        tabs = page.locator(".graphiql-tab-button")
        await expect(tabs).to_have_text(["Servers", "Run", "Log", "Updates", "Job"])
        await run(page, "Servers")
        await answered(page, '"totalCount": 1')
        await run(page, "Run")
        await answered(page, '"number": 1')
        await run(page, "Log")
        await answered(page, '"end": true')
        await run(page, "Job")
        await answered(page, '"status": "SUCCESS"')
        await run(page, "Updates")
        # What ends before anybody asked is not told.
        await until(lambda: (Topic.JOB, None) in buses[0]._listeners)
        second = await api.run("demo", "1")
        await answered(page, '"number": 2')
        await answered(page, '"status": "SUCCESS"')
        await api.finished(second["id"])
        # What is put in the editor is checked by a worker, which knows the schema.
        await page.locator(".graphiql-query-editor .monaco-editor").first.click()
        await page.keyboard.type("\nnonsense ")
        await expect(page.locator(".graphiql-query-editor .squiggly-error").first).to_be_visible()
