"""Finds thousands of patterns in a text at the cost of a few, by their blocks of four bytes.

A text is read as numbers of four bytes, and each is looked up once. Of a pattern of seven bytes or more any place of
the text covers a block that starts at a multiple of four, so it is enough to know the first four blocks of a pattern;
of shorter ones the text is read again from the bytes between. What a text costs does not depend on how many patterns
there are, but on how many of its blocks happen to be in one.

A block that stands in many places of the long patterns, as in a file whose lines are alike, would have to be followed
in each. There every piece of the text is asked for at once, in a bitmap of all pieces that are just long enough.
"""

import sys
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

SHORTEST = 4
"""Bytes of a pattern, at least."""
END = b"\n"
"""Stands in no pattern."""

_BLANK = ord(" ")
# By bits set: at which offsets of a pattern its block stands.
_OFFSETS = [tuple(offset for offset in range(4) if bits >> offset & 1) for bits in range(16)]
_SHIFTS = {4: (0, 1, 2, 3), 5: (0, 2), 6: (0, 2)}
_FEW_PLACES = 8

Span = tuple[int, int]


class Pieces:
    """All pieces of some texts that are of one length, as a bitmap by their hashes: it says no, or perhaps."""

    def __init__(self, runs: Collection[bytes], need: int) -> None:
        self.need = need
        self._text = END.join([*runs, b""])
        # Of those that are not in there, one in 32 or less seems to be.
        size = 1 << (32 * len(self._text)).bit_length()
        self._mask = size - 1
        self._bits = bytearray(size >> 3)
        for run in runs:
            for start in range(len(run) - need + 1):
                key = hash(run[start : start + need]) & self._mask
                self._bits[key >> 3] |= 1 << (key & 7)

    def spans(self, text: bytes, begin: int, end: int, covered: int) -> Iterator[Span]:
        """Those that begin from `begin` up to `end`, each with what follows; none begins or ends with a blank.

        `covered`: where the last one ended. What ends no later is not told.
        """
        need, bits, mask = self.need, self._bits, self._mask
        start, end = begin, min(end, len(text) - need + 1)
        while start < end:
            piece = text[start : start + need]
            key = hash(piece) & mask
            perhaps = bits[key >> 3] >> (key & 7) & 1 and piece[0] != _BLANK
            if perhaps and (stop := self._end(text, start, covered)):
                yield start, stop
                covered = stop
                start = self.next_start(text, covered)
            else:
                start += 1

    def next_start(self, text: bytes, covered: int) -> int:
        """Where the next may begin once the last one has ended: just so that it ends later, but with no blank.

        It may be where the last one began: the same bytes may go on in another way elsewhere.
        """
        start = covered + 1 - self.need
        while 0 < start < len(text) and text[start] == _BLANK:
            start -= 1
        return start

    def _end(self, text: bytes, start: int, covered: int) -> int:
        """Where the piece ends that starts there, if it ends after `covered`; 0 if there is none."""
        size = max(self.need, covered + 1 - start)
        while text[start + size - 1 : start + size] == b" ":
            size += 1
        piece = text[start : start + size]
        stands = self._text.find(piece) if len(piece) == size and END not in piece else -1
        if stands < 0:
            return 0
        away, end = stands - start, start + size
        while end < len(text) and text[end] == self._text[end + away] != END[0]:
            end += 1
        while text[end - 1] == _BLANK:
            end -= 1
        return end


class Blocks:
    """Finds `whole` patterns, and of `runs` every piece that is long enough: {pattern: bytes of a piece, at least 7}.

    What it finds never changes, so threads and forks may share it.
    """

    def __init__(self, whole: Collection[bytes], runs: Mapping[bytes, int]) -> None:
        self._whole = frozenset(whole)
        self._lengths: dict[bytes, tuple[int, ...]] = {}
        # {block: at which offsets of a whole pattern it stands (4 bits), and where first in the text of all runs}
        self._known: dict[int, int] = {}
        self._more: dict[int, list[int]] = {}
        self._index_whole()
        self._text = END.join([b"", *runs, b""])
        self._starts: list[int] = []
        self._needs = list(runs.values())
        self._index_runs(runs)
        # The lists of the places would only take up room.
        self._many = frozenset(block for block, places in self._more.items() if len(places) >= _FEW_PLACES)
        for block in self._many:
            del self._more[block]
        self._runs = dict(runs) if self._many else {}
        shifts = _SHIFTS.get(min(map(len, self._whole), default=0), (0,))
        self._shifts = shifts if self._known else ()

    @cached_property
    def _pieces(self) -> list[Pieces]:
        """For each length, made once they are asked for: that takes longer than all the rest, and few texts need it."""
        runs = self._runs
        return [Pieces([run for run, needed in runs.items() if needed == need], need) for need in set(runs.values())]

    def _index_whole(self) -> None:
        lengths: dict[bytes, set[int]] = {}
        known = self._known
        for pattern in self._whole:
            lengths.setdefault(pattern[:4], set()).add(len(pattern))
            for offset in range(min(4, len(pattern) - 3)):
                block = int.from_bytes(pattern[offset : offset + 4], sys.byteorder)
                known[block] = known.get(block, 0) | 1 << offset
        self._lengths = {head: tuple(sorted(found, reverse=True)) for head, found in lengths.items()}

    def _index_runs(self, runs: Mapping[bytes, int]) -> None:
        known, start = self._known, 1
        for pattern, need in runs.items():
            self._starts.append(start)
            size = len(pattern) - 3
            # A piece of so many bytes covers (need - 3) // 4 blocks in a row, one of which is in here.
            for begin in range(0, size, 4 * ((need - 3) // 4)):
                for offset in range(begin, min(begin + 4, size)):
                    block = int.from_bytes(pattern[offset : offset + 4], sys.byteorder)
                    value = known.get(block, 0)
                    if value >> 4:
                        self._more.setdefault(block, []).append(start + offset)
                    else:
                        known[block] = value | start + offset << 4
            start += len(pattern) + 1

    def spans(self, text: bytes) -> list[Span]:
        """(start, end) of each, in no order; they may overlap."""
        found: list[Span] = []
        # Where those end that were looked at, by where their run would start in the text.
        seen: dict[int, int] = {}
        # For each length of pieces where the next may begin, and where the last one ended.
        asked: dict[int, Span] = {}
        for shift in self._shifts:
            stop = len(text) - (len(text) - shift) % 4
            view = memoryview(text[shift:stop]).cast("I")
            if self._known.keys().isdisjoint(view):
                continue
            for number, block in enumerate(view):
                if block in self._known:
                    place, value = shift + 4 * number, self._known[block]
                    found += self._whole_at(text, place, value & 15)
                    if block in self._many:
                        found += self._pieces_at(text, place, asked)
                    elif value >> 4:
                        for stands in (value >> 4, *self._more.get(block, ())):
                            found += self._run_at(text, place, stands, seen)
        return found

    def __bool__(self) -> bool:
        """Whether there is any pattern."""
        return bool(self._known)

    def _whole_at(self, text: bytes, place: int, bits: int) -> Iterator[Span]:
        """All patterns that a block at `place` may belong to."""
        for offset in _OFFSETS[bits]:
            start = place - offset
            for length in self._lengths.get(text[start : start + 4], ()) if start >= 0 else ():
                # At the end of the text a piece may be shorter than asked for, and still be a pattern.
                piece = text[start : start + length]
                if piece in self._whole:
                    yield start, start + len(piece)

    def _pieces_at(self, text: bytes, place: int, asked: dict[int, Span]) -> Iterator[Span]:
        """The pieces that a block at `place` may belong to, each asked for once."""
        for number, pieces in enumerate(self._pieces):
            begin, covered = asked.get(number, (0, 0))
            for span in pieces.spans(text, max(begin, place + 4 - pieces.need, 0), place + 1, covered):
                yield span
                covered = span[1]
            asked[number] = max(place + 1, pieces.next_start(text, covered)), covered

    def _run_at(self, text: bytes, place: int, stands: int, seen: dict[int, int]) -> Iterator[Span]:
        """The piece around a block at `place` that stands there in the text of all runs, if it is long enough."""
        if place < seen.get(place - stands, 0):
            return
        start, end, away = place, place + 4, stands - place
        runs, size = self._text, len(text)
        while start and text[start - 1] == runs[start - 1 + away] != END[0]:
            start -= 1
        while end < size and text[end] == runs[end + away] != END[0]:
            end += 1
        seen[place - stands] = end
        # A blank at either end is of no run: else each that is printed would have to wait for what follows it.
        while start < end and text[start] == _BLANK:
            start += 1
        while end > start and text[end - 1] == _BLANK:
            end -= 1
        if end - start >= self._needs[bisect_right(self._starts, stands) - 1]:
            yield start, end

    def run_opens(self, text: bytes) -> int:
        """Where the longest end of `text` starts that is a piece of a run, of whatever length."""
        size, length, step = len(text), 0, 1
        # If an end is in there, each shorter one is as well.
        while length < size and text[size - min(size, length + step) :] in self._text:
            length = min(size, length + step)
            step *= 2
        while step > 1:
            step //= 2
            if length + step <= size and text[size - length - step :] in self._text:
                length += step
        while length and text[size - length] == _BLANK:
            length -= 1
        return size - length
