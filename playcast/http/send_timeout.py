"""How long the peer of a connection may be silent, or take nothing."""

import asyncio
from collections.abc import Awaitable

from aiohttp import web

HEARTBEAT_SECONDS = 20.0
# A peer that takes nothing for this long is let go; it resumes from its cursor.
SEND_SECONDS = 60.0


async def send_or_abort(request: web.BaseRequest, sending: Awaitable[None]) -> None:
    """Send, within SEND_SECONDS; ConnectionAbortedError, and the connection is cut, if the peer does not take it."""
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await sending
    except TimeoutError as error:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionAbortedError from error
