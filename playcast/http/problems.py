"""Errors as clients get them over HTTP: in one form from GraphQL, in another from everything else."""

from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from tortoise.exceptions import DBConnectionError, OperationalError

from gql.json_text import encode
from models.sqlite import DatabaseGone
from playcast.faults import Faults
from runner.errors import BadInput, ErrorCode, PlaycastError, Problem, Refused, quoted

GRAPHQL_PATHS = frozenset({"/graphql", "/graphql/stream"})
AWAY = (OperationalError, DBConnectionError, ConnectionRefusedError)
_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    408: "REQUEST_TIMEOUT",
    410: "GONE",
    412: "PRECONDITION_FAILED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    416: "RANGE_NOT_SATISFIABLE",
    417: "EXPECTATION_FAILED",
    426: "UPGRADE_REQUIRED",
    503: "UNAVAILABLE",
}
_STATUS = {
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.ALREADY_EXISTS: 409,
    ErrorCode.IN_USE: 409,
}


class Rejection(PlaycastError):
    """A request that is answered with an error status; `closes` if its connection ends with the answer."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        closes: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.closes = closes
        self.code = code or _CODES.get(status, "BAD_REQUEST" if status < 500 else "INTERNAL")
        self.headers = dict(headers or {})


def problem(request: web.BaseRequest, rejection: Rejection, problems: Iterable[Problem] = ()) -> web.Response:
    """The answer to a request that is rejected: `errors` as GraphQL has them, else `{"error": …, "code": …}`."""
    told: dict[str, Any] = {"error": str(rejection), "code": rejection.code}
    if request.path in GRAPHQL_PATHS:
        told = {"errors": [{"message": str(rejection), "extensions": {"code": rejection.code}}]}
    found = [{"code": one.code, "message": one.message, "field": list(one.field)} for one in problems]
    if found:
        told["problems"] = found
    headers = {**rejection.headers, **({"WWW-Authenticate": "Bearer"} if rejection.status == 401 else {})}
    body = encode(told)
    response = web.Response(body=body, status=rejection.status, headers=headers, content_type="application/json")
    response.charset = "utf-8"
    if rejection.closes:
        response.force_close()
    return response


def one_form(faults: Faults) -> Middleware:
    """Answers everything that a handler refuses or fails at."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            return from_http(request, error)
        except Refused as refusal:
            return problem(request, rejection_of(refusal), refusal.problems)
        except (ConnectionResetError, ConnectionAbortedError, BrokenPipeError):
            # The client has left.
            raise
        except Exception as error:
            rejection = rejection_of(error)
            if rejection.status == 503 and not isinstance(error, Rejection | DatabaseGone):
                faults.away(error)
            if rejection.status == 500:
                faults.report(error, _route(request))
            if request.writer.output_size:
                # The answer has begun: nothing but its end can tell the client now.
                raise ConnectionResetError from error
            response = problem(request, rejection)
            _forget(error)
            return response

    return answer


def _forget(error: BaseException | None) -> None:
    """Let nothing that an error has passed through keep the request: it would wait for the garbage collector."""
    while error is not None:
        before = error.__cause__ or error.__context__
        error.__traceback__ = error.__cause__ = error.__context__ = None
        error = before


def rejection_of(error: Exception) -> Rejection:
    """What an error of a handler is to the client."""
    if isinstance(error, Rejection):
        return error
    if isinstance(error, BadInput):
        return Rejection(400, str(error), "BAD_USER_INPUT")
    if isinstance(error, Refused):
        first = error.problems[0].code
        return Rejection(_STATUS.get(first, 422), str(error), first)
    if isinstance(error, DatabaseGone):
        return Rejection(503, str(error))
    if isinstance(error, AWAY):
        return Rejection(503, "the database does not take this now: it is locked, full or away; try again")
    return Rejection(500, "this is a fault of Playcast; the server log has it")


def from_http(request: web.BaseRequest, error: web.HTTPException) -> web.StreamResponse:
    """The web framework's own refusal, such as an unknown path, in our form."""
    if error.status < 400:
        raise error
    allowed = error.headers.get("Allow")
    messages = {
        404: "there is nothing at this address",
        405: f"{quoted(request.method)} does not work here: use {allowed}",
        413: "the body is too large",
    }
    headers = {"Allow": allowed} if allowed is not None else {}
    return problem(request, Rejection(error.status, messages.get(error.status, error.reason), headers=headers))


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""
