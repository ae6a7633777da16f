"""What clients did wrong since the start, and how many are connected: figures for the metrics."""

from collections import Counter
from dataclasses import dataclass, field

REASONS = {
    "malformed": "bytes that are no HTTP request, or a head that is too large",
    "late": "a head that did not come in time, or a peer that took nothing of its answer",
    "full": "a connection closed to make room for another, or one that found none",
    "unread": "an answer cut since too much waited for peers that take nothing",
    "no_descriptor": "a connection that could not be accepted, for want of file descriptors or memory",
    "encoded": "a body with Content-Encoding",
    "wrong_token": "a wrong token",
}


@dataclass
class Tally:
    """Counts by reason; each of REASONS is there from the start."""

    refused: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(REASONS, 0)))
    connections: int = 0

    def count(self, reason: str) -> None:
        """Add one."""
        self.refused[reason] += 1
