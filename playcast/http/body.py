"""Bodies of requests: JSON in UTF-8, as it is, small, and within a time."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import HttpVersion11, web

from gql.json_text import decode
from gql.pace import pace
from playcast.http.accept import members
from playcast.http.problems import Rejection

SMALL_BYTES = 64 * 1024
"""A body up to this is read at once."""
MAX_BODY_BYTES = 1024 * 1024
MAX_INCOMING_BYTES = 16 * 1024 * 1024
"""All bodies together that have not come whole yet."""
BODY_SECONDS = 60.0
"""How long a body may take to come."""
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Bodies:
    """Reads the bodies of one app. Of too many bytes in all, the body goes that has been coming for longest."""

    def __init__(self) -> None:
        self._coming: dict[int, tuple[bytearray, asyncio.Timeout]] = {}
        self._bytes = 0

    async def json(self, request: web.Request, most: int = MAX_BODY_BYTES) -> dict[str, Any] | list[Any]:
        """The JSON object or array of a request with at most `most` bytes; Rejection if it is anything else."""
        if request.content_type != "application/json":
            # Also keeps forms of other sites out: a browser asks first before it sends JSON elsewhere.
            taken = {"Accept": "application/json"}
            raise Rejection(415, "send JSON, with Content-Type: application/json", headers=taken)
        if (request.charset or "utf-8").lower() not in _CHARSETS:
            raise Rejection(415, "send JSON as UTF-8, with no other charset in Content-Type")
        try:
            return decode((await self._read(request, most)).decode())
        except UnicodeDecodeError as error:
            raise Rejection(400, "the body is not JSON: it is not UTF-8") from error
        except json.JSONDecodeError as error:
            raise Rejection(400, f"the body is not JSON: {error}") from error

    async def _read(self, request: web.Request, most: int) -> bytes:
        if (request.content_length or 0) > most:
            raise _too_large(most)
        if "100-continue" in members(request, "Expect") and request.version >= HttpVersion11:
            # Only now: who is refused is not asked for its body. Clients of HTTP/1.0 know no such answer.
            await request.writer.write(_CONTINUE)
            request.writer.output_size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS) as limit:
                with self._reading(limit) as body:
                    while await self._more(request, body):
                        if len(body) > most:
                            raise _too_large(most)
                    # Reading JSON of a mebibyte keeps the event loop, so of many that have come each has its turn.
                    if len(body) > SMALL_BYTES:
                        await pace().turn(request.protocol)
                    return bytes(body)
        except TimeoutError as error:
            message = (
                f"the body did not come within {BODY_SECONDS:.0f} seconds, or too many came at once: send it again"
            )
            raise Rejection(408, message, closes=True) from error

    async def _more(self, request: web.Request, body: bytearray) -> bool:
        """Whether more of it has come. By itself, so that a body that comes too late leaves no piece in a traceback."""
        chunk = await request.content.readany()
        self._add(body, chunk)
        return bool(chunk)

    @contextmanager
    def _reading(self, limit: asyncio.Timeout) -> Iterator[bytearray]:
        body = bytearray()
        self._coming[id(body)] = body, limit
        try:
            yield body
        finally:
            if self._coming.pop(id(body), None) is not None:
                self._bytes -= len(body)
            # What failed may keep it until the garbage is collected.
            body.clear()

    def _add(self, body: bytearray, chunk: bytes) -> None:
        body += chunk
        if id(body) in self._coming:
            self._bytes += len(chunk)
        while self._bytes > MAX_INCOMING_BYTES:
            oldest, limit = self._coming.pop(next(iter(self._coming)))
            self._bytes -= len(oldest)
            # It ends in a moment, as one does whose own time is over.
            if not limit.expired():
                limit.reschedule(0)


def _too_large(most: int) -> Rejection:
    return Rejection(413, f"the body is too large: send at most {most} bytes", closes=True)
