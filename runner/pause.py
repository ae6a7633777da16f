"""A pause that an event cuts short."""

import asyncio
from contextlib import suppress


async def pause(seconds: float, event: asyncio.Event) -> None:
    """Wait for `event`, but no longer than `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
