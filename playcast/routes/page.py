"""The page: its files as they were built, and what a browser may do while it shows them."""

from pathlib import Path
from typing import IO, Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from playcast.http.problems import Rejection

_MISSING = (
    "Playcast runs here, without its page (make page builds it): the API is at /graphql, "
    "and docs/clients.md shows how to call it.\n"
)
# 'self' covers the WebSocket of the same host and port as well.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# The name of an asset changes with its content, but for what people are to find.
_FOREVER = "public, max-age=31536000, immutable"
_EACH_TIME = "no-cache"
# mimetypes asks the machine, and a browser takes no script of another type.
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".md": "text/markdown",
}


def built_page() -> Path:
    """`web/dist` of the checkout, else the copy inside the installed package; neither needs to exist."""
    here = Path(__file__).resolve().parents[1]
    checkout = here.parent / "web"
    return checkout / "dist" if (checkout / "build.py").is_file() else here / "_page"


class Page:
    """The handlers that serve one built page. They look at the files anew each time, so that a build shows at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def table(self) -> list[web.RouteDef]:
        """The routes of the page; they hold nothing secret and need no token."""
        return [web.get("/", self.index), web.get("/assets/{name:[A-Za-z0-9_-]+\\.[a-z]+}", self.asset)]

    async def index(self, _request: web.Request) -> web.StreamResponse:
        """The page, or one sentence that says that it has not been built."""
        file = self._folder / "index.html"
        if not file.is_file():
            return web.Response(text=_MISSING)
        return html(file, _POLICY)

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """A script, style or picture of the page."""
        return asset(self._folder / "assets" / request.match_info["name"], _POLICY)


class PageFile(web.FileResponse):
    """A file that goes out in pieces.

    aiohttp leaves the whole of it to the kernel, and then nobody sees whether the peer takes anything; nor does asyncio
    bear that such a connection is cut.
    """

    async def _sendfile(self, request: web.BaseRequest, fobj: IO[Any], offset: int, count: int) -> AbstractStreamWriter:
        writer = await web.StreamResponse.prepare(self, request)
        if writer is None:
            raise ConnectionResetError
        return await self._sendfile_fallback(writer, fobj, offset, count)


def html(file: Path, policy: str) -> web.StreamResponse:
    """A built page, asked for anew each time, with what a browser may do while it shows it."""
    headers = {**_HEADERS, "Content-Security-Policy": policy, "Cache-Control": _EACH_TIME, "Content-Type": "text/html"}
    return PageFile(file, headers=headers)


def asset(file: Path, policy: str) -> web.StreamResponse:
    """A file of a built page, which a browser may keep; 404 if there is none, or of no type that pages have."""
    kind = _TYPES.get(file.suffix)
    if kind is None or not file.is_file():
        raise Rejection(404, "the page has no such file")
    kept = _EACH_TIME if file.suffix == ".md" else _FOREVER
    headers = {**_HEADERS, "Content-Security-Policy": policy, "Cache-Control": kept, "Content-Type": kind}
    return PageFile(file, headers=headers)
