"""Pace: answers take turns with everything else that the event loop does, so that a long one holds nobody up."""

import asyncio
import time
from collections import deque
from weakref import WeakKeyDictionary

SLICE_SECONDS = 0.003
"""How long all answers together may work before whoever else waits gets a turn."""
_AT_ONCE = 8

_paces: "WeakKeyDictionary[asyncio.AbstractEventLoop, Pace]" = WeakKeyDictionary()


def pace() -> "Pace":
    """The pace of the running loop."""
    loop = asyncio.get_running_loop()
    found = _paces.get(loop)
    if found is None:
        found = _paces[loop] = Pace(loop)
    return found


class Pace:
    """The turns of one loop: what has waited goes on in the order in which it came, a few in each round of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._until: float | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()

    def is_spent(self) -> bool:
        """Whether whoever has more to do must wait for a turn; asked before each piece of work."""
        if self._until is None:
            self._until = time.perf_counter() + SLICE_SECONDS
            self._loop.call_soon(self._next_round)
            return False
        return time.perf_counter() > self._until

    async def turn(self) -> None:
        """Wait until there is time."""
        while self.is_spent():
            waits = self._loop.create_future()
            self._waiting.append(waits)
            await waits

    def _next_round(self) -> None:
        self._until = None
        for _ in range(min(_AT_ONCE, len(self._waiting))):
            waits = self._waiting.popleft()
            if not waits.done():
                waits.set_result(None)
        if self._waiting:
            # Those that go on now may have nothing to do and ask for no round of their own.
            self.is_spent()
