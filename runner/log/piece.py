"""A run of log bytes as readers get it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self


@dataclass(frozen=True, slots=True)
class Piece:
    """Log bytes from offset `start`; `first_line` is the 1-based number of the line they start in.

    Bytes once stored never change: job, `start` and `stop` say all about a piece that is not empty.
    """

    job_id: int
    start: int
    data: bytes
    first_line: int
    emitted_at: datetime
    end: bool = False

    @property
    def stop(self) -> int:
        """The offset after the last byte."""
        return self.start + len(self.data)

    def up_to(self, stop: int) -> Self:
        """The same without what comes from the offset `stop` on."""
        return replace(self, data=self.data[: stop - self.start])

    def ended(self) -> Self:
        """The same as the end of its log."""
        return replace(self, end=True)
