"""Turns: of several processes on one database, one at a time does what would only be in the way of the others."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

Still = Callable[[], bool]
"""Whether the turn has not been lost meanwhile."""
Turn = Callable[[], AbstractAsyncContextManager[Still | None]]
"""While the context is open, nobody else has a turn of this kind; None if somebody has it already."""
