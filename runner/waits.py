"""Waiting for whatever comes first."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress


async def pause(seconds: float, event: asyncio.Event) -> None:
    """Wait for `event`, but no longer than `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def first(*awaitables: Awaitable[object], seconds: float | None = None) -> None:
    """Wait for one of them, but no longer than `seconds`; the others are cancelled."""
    waits = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
