"""Wrong tokens: whoever shows one waits for the answer, so that nobody tries many in a short time.

A right token is answered at once, also from an address that has just shown thousands of wrong ones: behind a proxy all
clients have one address, and nobody must lock the others out.
"""

import asyncio
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

import structlog

from playcast.http.tally import Tally
from playcast.seldom import Seldom

AT_ONCE = 5
"""Wrong tokens of one address that are answered without delay."""
EACH_SECONDS = 0.2
"""Then one of them is answered in this time."""
MOST_SECONDS = 10.0
"""No answer takes longer, however many there are."""
MOST_ADDRESSES = 10_000

log = structlog.get_logger()


class Tries:
    """Knows which addresses have shown wrong tokens lately, and no more than MOST_ADDRESSES of them."""

    def __init__(self, tally: Tally, now: Callable[[], float] = time.monotonic) -> None:
        self._tally = tally
        self._now = now
        # When the next wrong token of an address would be answered if AT_ONCE were 0.
        self._next: OrderedDict[str, float] = OrderedDict()
        self._seldom = Seldom()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let nobody wait any more: the server stops."""
        self._stopping.set()

    async def refuse(self, address: str | None) -> None:
        """Count a wrong token, and return when it may be answered."""
        self._tally.count("wrong_token")
        name = network_of(address)
        if self._seldom.may(name):
            log.warning("a wrong token was shown; more from this address are told once a minute", address=name)
        seconds = self._seconds(name)
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()
            except TimeoutError:
                return

    def _seconds(self, name: str) -> float:
        now = self._now()
        after = max(self._next.pop(name, now), now) + EACH_SECONDS
        self._next[name] = min(after, now + AT_ONCE * EACH_SECONDS + MOST_SECONDS)
        if len(self._next) > MOST_ADDRESSES:
            self._next.popitem(last=False)
        return self._next[name] - now - AT_ONCE * EACH_SECONDS


def network_of(address: str | None) -> str:
    """What counts as one address: of IPv6 the first 64 bits, since a machine has all addresses below them."""
    try:
        known = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(known, ipaddress.IPv6Address):
        mapped = known.ipv4_mapped
        return str(mapped) if mapped else f"{ipaddress.ip_network((int(known), 64), strict=False)}"
    return str(known)
