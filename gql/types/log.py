"""The log as clients see it: chunks, and pages of them."""

from datetime import datetime

import strawberry

from runner.log.piece import Piece
from runner.verbs.read_log import Page

_MAX_INT = 2**31 - 1


def _text(root: "JobLogChunk") -> str:
    """Decoded when it is asked for: of many watchers' chunks most come written already."""
    return root.piece.data.decode(errors="replace")


@strawberry.type
class JobLogChunk:
    """A run of log bytes, cut at a line end wherever a line end came in time. ANSI codes are kept."""

    piece: strawberry.Private[Piece]
    cursor: str
    """Resume point after this chunk; opaque."""
    after: str
    """The cursor this chunk follows. If the last `cursor` that the client saw is another, there is a gap or overlap."""
    first_line: int
    """1-based number of the first line in `text`."""
    text: str = strawberry.field(resolver=_text)
    """The text; bytes that are no UTF-8 are replaced by U+FFFD."""
    emitted_at: datetime
    """When it was read from the log."""
    end: bool
    """True on the last chunk of a finished job (text may be empty)."""

    @classmethod
    def of(cls, piece: Piece) -> "JobLogChunk":
        """The chunk that a piece is to clients."""
        return cls(
            piece=piece,
            cursor=str(piece.stop),
            after=str(piece.start),
            first_line=clamped(piece.first_line),
            emitted_at=piece.emitted_at,
            end=piece.end,
        )


@strawberry.type
class JobLogPage:
    """Consecutive chunks; the next page starts after `cursor`."""

    chunks: list[JobLogChunk]
    """The chunks, in the order of the log."""
    cursor: str
    """Resume point after the last chunk."""
    has_more: bool
    """Whether more of the log is stored after it."""

    @classmethod
    def of(cls, page: Page) -> "JobLogPage":
        """The page as clients see it."""
        return cls(
            chunks=[JobLogChunk.of(piece) for piece in page.pieces],
            cursor=str(page.cursor),
            has_more=page.has_more,
        )


def clamped(number: int) -> int:
    """`number`, or the largest Int of GraphQL where it is larger."""
    return min(number, _MAX_INT)
