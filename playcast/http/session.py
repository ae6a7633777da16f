"""Signing in with a browser: the token is shown once, and then stands behind a cookie that no script can read."""

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from yarl import URL

from playcast.http.body import Bodies
from playcast.http.problems import Rejection

SESSION_SECONDS = 7 * 24 * 3600
MAX_SIGN_IN_BYTES = 4096
"""What a sign-in may send: nobody has shown the token by then."""


class Sessions:
    """Cookies that stand for one token. Nothing is stored: a cookie is as good as its signature, on every server."""

    def __init__(self, token: str, now: Callable[[], float] = time.time) -> None:
        self._key = token.encode(errors="surrogatepass")
        self._now = now

    def issue(self) -> str:
        """A value that holds for SESSION_SECONDS from now."""
        until = str(int(self._now()) + SESSION_SECONDS)
        return f"{until}.{self._sign(until)}"

    def holds(self, request: web.Request) -> bool:
        """Whether the request brings a cookie of ours that has not run out, from a page of ours."""
        until, _, signature = request.cookies.get(cookie_name(request), "").partition(".")
        if not until.isascii() or not until.isdigit() or len(until) > 12 or is_foreign(request):
            return False
        signed = hmac.compare_digest(signature.encode(errors="surrogatepass"), self._sign(until).encode())
        return signed and self._now() < int(until)

    def _sign(self, what: str) -> str:
        return hmac.new(self._key, f"playcast page {what}".encode(), hashlib.sha256).hexdigest()


def cookie_name(request: web.Request) -> str:
    """The name of the cookie at the address that the browser sees.

    Cookies do not tell ports apart: the port is in the name, or two servers on one machine would sign each other out.
    """
    try:
        port = URL(f"//{request.host}").explicit_port
    except ValueError:
        port = None
    return "playcast" if port is None else f"playcast_{port}"


def is_foreign(request: web.Request) -> bool:
    """Whether a browser sends this for a page of another site, or of another port of this machine."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    # `null` stands for no page at all, such as a frame that is locked in.
    return origin is not None and origin.partition("://")[2].lower() != request.host.lower()


class SignIn:
    """The handlers of `/session`."""

    def __init__(
        self, sessions: Sessions | None, fits: Callable[[object, str | None], Awaitable[bool]], bodies: Bodies
    ) -> None:
        self._sessions = sessions
        self._fits = fits
        self._bodies = bodies

    def table(self) -> list[web.RouteDef]:
        """Both ask for no token: the first brings it, the second gives its cookie back."""
        return [web.post("/session", self.open), web.delete("/session", self.close)]

    async def open(self, request: web.Request) -> web.Response:
        """`{"token": …}` → 204 and the cookie; 401 if the token is wrong."""
        if is_foreign(request):
            raise Rejection(403, "sign in from the page of this server")
        body = await self._bodies.json(request, MAX_SIGN_IN_BYTES)
        token = body.get("token") if isinstance(body, dict) else None
        if not isinstance(token, str):
            raise Rejection(400, 'token: send {"token": "…"}')
        if not await self._fits(token, request.remote):
            raise Rejection(401, "this is not the token of this server")
        response = web.Response(status=204)
        if self._sessions is not None:
            response.set_cookie(
                cookie_name(request),
                self._sessions.issue(),
                max_age=SESSION_SECONDS,
                httponly=True,
                samesite="Strict",
                secure=request.headers.get("X-Forwarded-Proto", request.scheme) == "https",
            )
        return response

    async def close(self, request: web.Request) -> web.Response:
        """204, and the browser forgets the cookie."""
        if is_foreign(request):
            raise Rejection(403, "sign out from the page of this server")
        response = web.Response(status=204)
        if self._sessions is not None:
            response.del_cookie(cookie_name(request), httponly=True, samesite="Strict")
        return response
