"""`GET /ansible/jobs/{id}/log`: the bytes of a log, whole, in part, compressed, or as they come; by RFC 9110."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from aiohttp import ETag, web

from models import ProvisionJob
from playcast.http.accept import takes_gzip
from playcast.http.auth import VIEWER
from playcast.http.problems import Rejection
from playcast.http.send_timeout import send_or_abort
from runner.engine import Engine
from runner.log.piece import Piece
from runner.log.stored import read_range
from runner.verbs.read_log import follow_log

FindJob = Callable[[web.Request], Awaitable[ProvisionJob]]
# RFC 8673: how a part is announced whose end nobody knows yet.
_FAR = 2**53 - 1


@dataclass(frozen=True)
class Part:
    """The bytes of a log that are sent, from `start` to before `stop`; `asked` if the client chose them."""

    start: int
    stop: int
    asked: bool = False


class LogRoute:
    """The handler of one app. It ends what it streams when the server stops."""

    def __init__(self, engine: Engine, find: FindJob) -> None:
        self._engine = engine
        self._find = find
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End every answer that follows a log, in the middle, so that clients come back with Range."""
        self._stopping.set()

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """The log as it stands now, or the asked range of it; with `follow=1` to the end of the job."""
        job = await self._find(request)
        if job.log_pruned_at is not None:
            at = job.log_pruned_at.isoformat()
            raise Rejection(410, f"the log of job {job.id} was removed at {at} to save space", "LOG_PRUNED")
        plain = _tag(job, "") if job.final else None
        asked = _range(request, plain)
        follow = _follows(request) and not job.final and (asked is None or asked.stop is None)
        zipped = not follow and "Range" not in request.headers and takes_gzip(request.headers.get("Accept-Encoding"))
        tag = _tag(job, "-gzip") if plain is not None and zipped else plain
        response = web.StreamResponse(headers=_headers(tag))
        if _unchanged(request, tag):
            response.set_status(304)
            await response.prepare(request)
            return response
        part = _part(request, asked, job.log_size, follow=follow)
        response.content_type, response.charset = "text/plain", "utf-8"
        if zipped and request.method == "HEAD":
            # aiohttp would send what ends a compressed body.
            response.headers["Content-Encoding"] = "gzip"
        elif zipped:
            response.enable_compression(web.ContentCoding.gzip)
        else:
            response.headers["Accept-Ranges"] = "bytes"
        if part.asked:
            response.set_status(206)
            last, size = (_FAR, "*") if follow else (part.stop - 1, str(job.log_size))
            response.headers["Content-Range"] = f"bytes {part.start}-{last}/{size}"
        if not (zipped or follow):
            response.content_length = part.stop - part.start
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        pieces = self._followed(request, job, part.start) if follow else read_range(job.id, part.start, part.stop)
        stop = None if follow else part.stop
        if await _sent(request, response, pieces, part.start, stop) or request.transport is None:
            await response.write_eof()
        else:
            # A cut connection is the only way left to say that the rest is missing.
            request.transport.close()
        return response

    async def _followed(self, request: web.Request, job: ProvisionJob, start: int) -> AsyncIterator[Piece]:
        """The pieces from an offset to the end of the job, or until the server stops."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        async with aclosing(follow_log(self._engine, request[VIEWER], job, str(start))) as pieces:  # type: ignore[type-var]  # it is a generator
            coming = asyncio.ensure_future(anext(pieces, None))
            try:
                while True:
                    await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
                    piece = coming.result() if coming.done() else None
                    if piece is None:
                        return
                    yield piece
                    coming = asyncio.ensure_future(anext(pieces, None))
            finally:
                for task in (coming, stopping):
                    task.cancel()
                await asyncio.wait({coming, stopping})


async def _sent(
    request: web.Request, response: web.StreamResponse, pieces: AsyncIterator[Piece], start: int, stop: int | None
) -> bool:
    """Send pieces up to `stop`, or to the end of the log; whether all came.

    Some do not if the log is pruned meanwhile, or if the server stops.
    """
    position = start
    async for piece in pieces:
        if piece.start != position:
            return False
        position = piece.stop
        if piece.data:
            await send_or_abort(request, response.write(piece.data))
        if piece.end:
            return True
    return position == stop


def _follows(request: web.Request) -> bool:
    asked = request.query.get("follow", "0")
    if asked not in {"0", "1"}:
        raise Rejection(400, "follow: use follow=1, or leave it out")
    return asked == "1"


def _tag(job: ProvisionJob, kind: str) -> ETag:
    """A strong one: the bytes of a log do not change any more when its job has ended."""
    ended = job.ended_at or job.created_at
    return ETag(f"{job.id}-{job.log_size}-{int(ended.timestamp() * 1_000_000):x}{kind}")


def _headers(tag: ETag | None) -> dict[str, str]:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
    return headers if tag is None else {**headers, "ETag": f'"{tag.value}"'}


def _unchanged(request: web.Request, tag: ETag | None) -> bool:
    """Whether the client has these bytes already; Rejection if it wants others than these."""
    wanted = request.if_match
    if wanted is not None and not any(one.value in ("*", tag and tag.value) and not one.is_weak for one in wanted):
        raise Rejection(412, "the log is not, or not any more, the one of If-Match")
    held = request.if_none_match
    return held is not None and any(one.value in ("*", tag and tag.value) for one in held)


def _range(request: web.Request, tag: ETag | None) -> slice | None:
    """What part the client asks for. Ranges that are none, and those of a method without ranges, mean the whole."""
    held = request.headers.get("If-Range")
    if request.method != "GET" or (held is not None and held != (f'"{tag.value}"' if tag else None)):
        return None
    try:
        asked = request.http_range
    except ValueError:
        return None
    return asked if asked.start is not None else None


def _part(request: web.Request, asked: slice | None, size: int, *, follow: bool) -> Part:
    """The bytes of that part; Rejection if there are none. Who follows a log may wait for the first of them."""
    if asked is None:
        return Part(0, size)
    # aiohttp reads the last 0 bytes as all of them.
    empty = asked.start == 0 and request.headers["Range"].partition("=")[2].startswith("-")
    start = max(0, size + asked.start) if asked.start < 0 else asked.start
    stop = size if asked.stop is None else min(size, asked.stop)
    if empty or start > size or (start >= stop and not follow):
        raise Rejection(416, f"the log has {size} bytes so far", headers={"Content-Range": f"bytes */{size}"})
    return Part(start, stop, asked=True)
