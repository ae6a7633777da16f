"""How many jobs may run at a time."""

import asyncio


class Slots:
    """`total` places. A job that runs already, found at a restart, takes one even when none is free."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._given = asyncio.Condition()

    async def take(self) -> None:
        """Wait for a free place and take it."""
        async with self._given:
            await self._given.wait_for(lambda: self._free > 0)
            self._free -= 1

    def take_anyway(self) -> None:
        """Take a place at once; later ones wait until this one is given back too."""
        self._free -= 1

    async def give(self) -> None:
        """Give a place back."""
        async with self._given:
            self._free += 1
            self._given.notify()
