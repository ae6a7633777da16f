"""Log bytes that were read and not stored yet, and where they are cut."""

from models.chunk import MAX_BYTES
from runner.log.cutting import lines_end, text_end


class ReadBuffer:
    """A buffer that is read into in place, so that each byte is copied once more only: into its chunk."""

    def __init__(self, most: int) -> None:
        """`most` bytes fit in at a time, beside a chunk that is not full yet."""
        self._most = most
        self._bytes = bytearray(most + MAX_BYTES)
        self._filled = 0

    def __len__(self) -> int:
        return self._filled

    @property
    def room(self) -> memoryview:
        """Where the next bytes go."""
        return memoryview(self._bytes)[self._filled : self._filled + self._most]

    def filled(self, count: int) -> None:
        """So many bytes are in `room` now."""
        self._filled += count

    def take(self, *, whole: bool, late: bool, more: bool) -> list[bytes]:
        """Cut what may go now: all when `whole`, a partial line when `late`, only full chunks when `more` waits."""
        chunks, start = [], 0
        with memoryview(self._bytes)[: self._filled] as view:
            while self._filled - start >= (MAX_BYTES if more else 1):
                most = min(MAX_BYTES, self._filled - start)
                end = lines_end(self._bytes, most, start)
                # What follows a line end has only just come.
                late = late and not end
                if not end and (most == MAX_BYTES or late or whole):
                    end = text_end(view[start:], MAX_BYTES) or (most if whole else 0)
                if not end:
                    break
                chunks.append(bytes(view[start : start + end]))
                start += end
        rest = self._filled - start
        self._bytes[:rest] = self._bytes[start : self._filled]
        self._filled = rest
        return chunks
