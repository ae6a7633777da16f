"""What happens to each request first: it is noted, and refused where it wants what nobody here does."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from multidict import CIMultiDict, CIMultiDictProxy

from playcast.http.accept import members
from playcast.http.connection import asked
from playcast.http.problems import Rejection
from playcast.http.tally import Tally

_LISTS = ("Accept", "Accept-Encoding", "Connection", "If-Match", "If-None-Match", "Sec-WebSocket-Protocol")


def arrivals(tally: Tally) -> Middleware:
    """Comes before anybody asks for the token: to decode a body costs a hundred times what it costs to send one."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked(request)
        _join_lists(request)
        if request.body_exists and set(members(request, "Content-Encoding")) - {"identity"}:
            tally.count("encoded")
            message = "send the body as it is, without Content-Encoding"
            raise Rejection(415, message, headers={"Accept-Encoding": "identity"}, closes=True)
        if set(members(request, "Expect")) - {"100-continue"}:
            message = "nothing but 100-continue can be expected here: leave out Expect"
            raise Rejection(417, message, closes=request.body_exists)
        return await handler(request)

    return check


def _join_lists(request: web.Request) -> None:
    """Make one of several lines of a list: aiohttp, and whoever else reads a header, reads the first of them alone."""
    several = [name for name in _LISTS if len(request.headers.getall(name, ())) > 1]
    if several:
        headers = CIMultiDict(request.headers)
        for name in several:
            headers[name] = ", ".join(request.headers.getall(name))
        joined = CIMultiDictProxy(headers)
        # aiohttp's own way, `clone`, fails at headers that are not UTF-8.
        request._headers = request._cache["headers"] = joined  # noqa: SLF001 (there is no other)


async def answer_later(_request: web.Request) -> None:
    """What is done at once about the header Expect: nothing. Who reads the body answers it then."""
