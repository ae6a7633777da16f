"""What happens to each request first: it is noted, and refused where its body would have to be decoded."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from playcast.connection import asked
from playcast.problems import Rejection
from playcast.tally import Tally


def arrivals(tally: Tally) -> Middleware:
    """Comes before anybody asks for the token: to decode a body costs a hundred times what it costs to send one."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked(request)
        codings = {
            coding.strip().lower() for coding in ",".join(request.headers.getall("Content-Encoding", ())).split(",")
        }
        if request.body_exists and codings - {"", "identity"}:
            tally.count("encoded")
            message = "send the body as it is, without Content-Encoding"
            raise Rejection(415, message, headers={"Accept-Encoding": "identity"}, closes=True)
        return await handler(request)

    return check


async def answer_later(_request: web.Request) -> None:
    """What is done at once about the header Expect: nothing. Who reads the body answers it then."""
