"""GraphiQL, which a browser gets that opens /graphql: its files as they were built, and the way to sign in before."""

from pathlib import Path

from aiohttp import web

from playcast.routes.page import asset, html

_MISSING = "GraphiQL is not built here (make page builds it); the API at this address works without it.\n"
# Its editor makes styles while it runs and draws with pictures inside them, so both must be allowed inline. Scripts,
# workers too, are files of ours.
_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Relative, so that it leads to the page below any path of a proxy.
_SIGN_IN = "./?then=graphql"


class GraphiQL:
    """The handlers that serve one built GraphiQL."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def table(self) -> list[web.RouteDef]:
        """The routes of its files, which hold nothing secret and need no token."""
        return [web.get("/graphiql/{name:[A-Za-z0-9_.-]+\\.[a-z]+}", self.asset)]

    def show(self, *, signed_in: bool) -> web.StreamResponse:
        """GraphiQL, or one sentence that says that it has not been built, or the way to sign in."""
        file = self._folder / "graphiql.html"
        if not file.is_file():
            return web.Response(text=_MISSING)
        if not signed_in:
            return web.Response(status=303, headers={"Location": _SIGN_IN, "Cache-Control": "no-store"})
        return html(file, _POLICY)

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """A script, style or font of GraphiQL."""
        return asset(self._folder / "graphiql" / request.match_info["name"], _POLICY)
