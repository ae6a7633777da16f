"""Who is calling: the one bearer token, or the cookie that stands for it, on every route but those of OPEN_PATHS."""

import hmac

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from playcast.http.accept import is_visit
from playcast.http.connection import trust
from playcast.http.problems import Rejection
from playcast.http.session import Sessions, is_foreign
from playcast.http.tally import Tally
from playcast.http.wrong_tokens import Tries
from playcast.setting_texts import is_loopback
from runner.viewer import LOCAL_VIEWER, TOKEN_VIEWER, Viewer

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
# What a browser needs before it can show the token.
PAGE_PATHS = frozenset({"/", "/session"})
PAGE_FILES = ("/assets/", "/graphiql/")
# The one answer that keeps the server busy for as long as somebody likes, so no page of another site may ask for it.
STREAM_PATH = "/graphql/stream"
_READING = frozenset({"GET", "HEAD"})
VIEWER = web.RequestKey("viewer", Viewer)


class Gate:
    """Turns what a caller shows into a viewer. Without a token only this machine can reach the server."""

    def __init__(self, token: str | None, tally: Tally) -> None:
        self._token = token
        self.sessions = Sessions(token) if token is not None else None
        self.tries = Tries(tally)

    def viewer_for(self, token: object) -> Viewer | None:
        """The viewer that `token` stands for; None if it is wrong."""
        if self._token is None:
            return LOCAL_VIEWER
        if not isinstance(token, str) or not hmac.compare_digest(_bytes(token), _bytes(self._token)):
            return None
        return TOKEN_VIEWER

    async def viewer_of_token(self, token: object, address: str | None) -> Viewer | None:
        """The same for whoever shows a token from outside: a wrong one is answered late."""
        viewer = self.viewer_for(token)
        if viewer is None and isinstance(token, str) and token:
            await self.tries.refuse(address)
        return viewer

    async def fits(self, token: object, address: str | None) -> bool:
        """Whether this is the token."""
        return await self.viewer_of_token(token, address) is not None

    async def _viewer_of(self, request: web.Request, shown: str | None) -> Viewer | None:
        if shown is None and self.sessions is not None and self.sessions.holds(request):
            return TOKEN_VIEWER
        return await self.viewer_of_token(shown, request.remote)

    def middleware(self) -> Middleware:
        """Refuses requests without the right token; a WebSocket may bring it in its first message instead."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path in OPEN_PATHS:
                return await handler(request)
            if self._token is None and not _asks_for_this_machine(request):
                # A page of another site whose name was made to point here (DNS rebinding).
                raise Rejection(403, "this server has no token, so it answers to localhost only")
            if request.path in PAGE_PATHS or request.path.startswith(PAGE_FILES):
                return await handler(request)
            shown = _bearer(request)
            viewer = await self._viewer_of(request, shown)
            acts = request.method not in _READING or request.path == STREAM_PATH
            if viewer is LOCAL_VIEWER and acts and is_foreign(request):
                raise Rejection(403, "pages of other sites cannot use this server")
            if viewer is not None:
                request[VIEWER] = viewer
                trust(request)
            elif shown is not None or not (_is_websocket(request) or is_visit(request)):
                raise Rejection(401, "send the token as `Authorization: Bearer …`")
            return await handler(request)

        return check


def _bytes(token: str) -> bytes:
    # Headers and JSON both bring in surrogates, which plain UTF-8 refuses.
    return token.encode(errors="surrogatepass")


def _bearer(request: web.Request) -> str | None:
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _is_websocket(request: web.Request) -> bool:
    """Whether this is a handshake that the view takes as one: only then does it ask for the token later."""
    if request.path != "/graphql" or request.method != "GET":
        return False
    # Whatever is asked for: aiohttp writes a protocol that it is not told of into the log.
    protocols = [one.strip() for one in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    return web.WebSocketResponse(protocols=protocols).can_prepare(request).ok


def _asks_for_this_machine(request: web.Request) -> bool:
    try:
        return is_loopback(URL(f"//{request.host}").host or "")
    except ValueError:
        return False
