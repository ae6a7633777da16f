"""The page as it is served: what a browser may do with it, how long it keeps it, and how large it is."""

import gzip
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from playcast.routes.page import Page
from tests.conftest import StartApp
from tests.support.api import Api
from web import build
from web.build import DIST, WEB, find_node

MOST_BYTES = 40 * 1024
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
ASSET = re.compile(r'(?:src|href)="\./(assets/[^"]+)"')


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    """`make test` builds the page first."""
    if not (DIST / "index.html").is_file():
        pytest.fail("the page is not built: make page")


def built() -> list[Path]:
    """The files of the page; GraphiQL stands beside them, and has tests of its own."""
    return [path for path in DIST.rglob("*") if "graphiql" not in path.relative_to(DIST).as_posix()]


async def fetch(api: Api, path: str, **headers: str) -> tuple[int, Any, bytes]:
    async with api.client.get(path, headers=headers) as response:
        return response.status, response.headers, await response.read()


def guarded(headers: Any) -> list[str]:
    names = ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cache-Control")
    return [headers[name] for name in names]


async def test_the_page_and_its_files(start_app: StartApp) -> None:
    api = await start_app(token="correct-horse")
    status, headers, body = await fetch(api, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html")
    assert guarded(headers) == [POLICY, "nosniff", "no-referrer", "no-cache"]
    assert body == (DIST / "index.html").read_bytes()
    again = await fetch(api, "/", **{"If-None-Match": headers["ETag"]})
    assert (again[0], again[2]) == (304, b"")

    names = ASSET.findall(body.decode())
    assert {Path(name).suffix for name in names} == {".js", ".css", ".svg"}
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    for name in names:
        status, headers, body = await fetch(api, f"/{name}")
        assert (status, headers["Content-Type"]) == (200, kinds[Path(name).suffix])
        assert guarded(headers) == [POLICY, "nosniff", "no-referrer", "public, max-age=31536000, immutable"]
        assert body == (DIST / name).read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        *("/assets/", "/assets/none.js", "/assets/index.html", "/assets/../index.html", "/index.html"),
        *("/assets/..%2findex.html", "/assets/%2e%2e/index.html", "/assets/..%2f..%2fpackage.json"),
        *("/assets/x.js.gz", "/assets/a%00.js"),
    ],
)
async def test_only_the_files_of_the_page_are_served(api: Api, path: str) -> None:
    status, _, body = await fetch(api, path)
    assert status == 404
    assert b"<!doctype" not in body


async def test_files_go_as_gzip_to_who_takes_it(api: Api) -> None:
    (script,) = [name for name in ASSET.findall((DIST / "index.html").read_text()) if name.endswith(".js")]
    async with api.client.get(f"/{script}", headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert int(response.headers["Content-Length"]) == (DIST / f"{script}.gz").stat().st_size
        assert response.headers["Content-Type"] == "text/javascript"
    async with api.client.get(f"/{script}", headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers
        assert await response.read() == (DIST / script).read_bytes()


async def test_without_the_page_one_sentence(tmp_path: Path) -> None:
    app = web.Application()
    app.add_routes(Page(tmp_path / "nothing").table())
    async with TestClient(TestServer(app)) as client, client.get("/") as response:
        assert response.status == 200
        assert await response.text() == (
            "Playcast runs here, without its page (make page builds it): the API is at /graphql, "
            "and docs/clients.md shows how to call it.\n"
        )


def test_the_page_is_small() -> None:
    whole = {
        path.relative_to(DIST).as_posix(): len(gzip.compress(path.read_bytes(), mtime=0))
        for path in built()
        if path.is_file() and path.suffix != ".gz"
    }
    print(f"the page has {sum(whole.values())} bytes with gzip: {whole}")  # noqa: T201 (pytest shows it on demand)
    assert 20_000 < sum(whole.values()) <= MOST_BYTES


async def test_it_brings_the_licenses_of_what_it_is_made_of(api: Api) -> None:
    status, headers, body = await fetch(api, "/assets/LICENSES.md")
    # Its name stays when what it says changes.
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "text/markdown", "no-cache")
    named = re.findall(r"^## (\S+) - ", body.decode(), re.MULTILINE)
    assert named == ["graphql-ws", "preact"]


def test_nothing_of_the_page_leads_elsewhere() -> None:
    allowed = {"http://www.w3.org", "https://www.w3.org"}
    for path in built():
        if path.suffix in {".js", ".css", ".html", ".svg"}:
            found = set(re.findall(r"(?:https?|wss?)://[A-Za-z0-9.-]+", path.read_text()))
            assert found <= allowed, path


def test_nothing_built_or_addressed_is_kept_in_git() -> None:
    listed = subprocess.run(["git", "ls-files", "-z", str(WEB)], cwd=WEB, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    names = listed.stdout.split("\0")
    assert [name for name in names if re.search(r"node_modules|/?dist/|\.min\.|generated/|\.map$", name)] == []
    assert '"resolved"' not in (WEB / "package-lock.json").read_text()
    assert "omit-lockfile-registry-resolved=true" in (WEB / ".npmrc").read_text().splitlines()


def test_the_model_of_the_page(capfd: pytest.CaptureFixture[str]) -> None:
    assert find_node() is not None
    build.test()
    said = capfd.readouterr().out
    assert "\n# fail 0\n" in said
    assert int(re.findall(r"^# pass (\d+)$", said, re.MULTILINE)[0]) >= 40
