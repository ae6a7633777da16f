"""Masking: finds secrets in what a job prints, in whatever spelling, and puts stars in their place.

A text is looked through in two readings: without the signs of quoting and, where there are escapes in it, with those
undone as well (escapes.py). What is looked for (spellings.py) has gone through the same. A line of 100 bytes without
escapes costs 2 us, of 50 as of 500 passwords, and one with some 10 us (Python 3.11 on an AMD EPYC; ansible itself takes
100 us to make that line).
"""

import re
from bisect import bisect_right
from collections.abc import Iterable

from . import block_search, escapes, spellings, whole_words

STARS = "********"
# More signs than that are no quoting, and part the text.
_NO_QUOTING = re.compile(b"[%b]{%d,}" % (re.escape(escapes.SIGNS), escapes.MOST_SIGNS + 1))

Span = tuple[int, int]


class Masker:
    """Finds the spellings of some words. It never changes, so threads and forks may share it."""

    def __init__(self, words: Iterable[str]) -> None:
        found = spellings.Spellings(words)
        self._signs = {pattern: needs for pattern, needs in found.whole.items() if needs}
        self._blocks = block_search.Blocks(found.whole, found.runs)
        self._alone = whole_words.Alone(found.alone) if found.alone else None
        # A word that must stand alone is open until the byte after it is known.
        self._openers = sorted(found.whole.keys() | {escapes.unquoted(word) + block_search.END for word in found.alone})
        self._heads = {opener[:4] for opener in self._openers}
        self._longest = max(map(len, [*self._openers, *found.runs]), default=0)
        # What matters of the escapes in a text: all if it is asked what stands beside a word.
        self._codes = None if found.alone else escapes.codes(found.letters)

    def mask(self, text: str) -> str:
        """`text` without the secrets; the same object if it holds none."""
        data = spellings.to_bytes(text)
        spans = self.spans(data)
        if not spans:
            return text
        pieces, end = covered(data, spans, 0, len(data))
        return b"".join([*pieces, data[end:]]).decode("utf-8", "surrogatepass")

    def is_clean(self, data: bytes) -> bool:
        """Whether there is certainly no secret in `data`; quick, for most lines."""
        bare = data.translate(escapes.SAME, escapes.SIGNS)
        if len(data) - len(bare) > escapes.MOST_SIGNS:
            return False
        # A backslash, per cent, an ampersand, a dollar.
        if (92 in data or 37 in data or 38 in data or 36 in data) and escapes.matter(data, self._codes):
            return False
        if self._blocks.spans(bare):
            return False
        return self._alone is None or not self._alone.spans(data)

    def spans(self, data: bytes) -> list[Span]:
        """(start, end) of each secret in `data`, in the order of their starts; they may overlap."""
        found = self._in(data)
        if escapes.matter(data, self._codes) and any(map(self._in, escapes.readings(data))):
            for text, (starts, ends) in escapes.readings_in_place(data):
                found += [(starts[start], ends[end - 1]) for start, end in self._in(text)]
        found.sort()
        return found

    def _in(self, text: bytes) -> list[Span]:
        """The same in a text whose escapes count as they are."""
        found = self._alone.spans(text) if self._alone is not None else []
        begin, bare = 0, escapes.unquoted(text)
        if len(text) - len(bare) > escapes.MOST_SIGNS:
            for match in _NO_QUOTING.finditer(text):
                piece = text[begin : match.start()]
                found += [(begin + start, begin + end) for start, end in self._of(piece, escapes.unquoted(piece))]
                begin = match.end()
            text = text[begin:]
            bare = escapes.unquoted(text)
        return found + [(begin + start, begin + end) for start, end in self._of(text, bare)]

    def _of(self, text: bytes, bare: bytes) -> list[Span]:
        """Those in a text whose quoting is real; `bare` is the text without it."""
        found = self._blocks.spans(bare)
        if not found:
            return found
        stands = escapes.kept(text)
        places = [(start, end, stands[start], stands[end - 1] + 1) for start, end in found]
        return [(first, last) for start, end, first, last in places if self._is_one(bare[start:end], text[first:last])]

    def _is_one(self, bare: bytes, text: bytes) -> bool:
        """Whether what looks like a secret without its quoting is one: quotes of its own must be there."""
        needs = self._signs.get(bare)
        return needs is None or any(all(text.count(sign) >= times for sign, times in need.items()) for need in needs)

    def open_from(self, data: bytes) -> int:
        """Where the longest end of `data` starts that may yet become a secret; the length of `data` if none may."""
        size, start = len(data), data.rfind(b"\n") + 1
        if start == size or not (self._blocks or self._openers):
            return size
        # The escapes of a character are rarely longer than 16 bytes.
        start = max(start, size - 16 * self._longest - 2 * escapes.LONGEST)
        line = data[start:]
        # What the escape at the end will be is not known yet, nor whether a secret that ends in it will be longer.
        known, opens = escapes.unfinished(line), self._opens(line)
        if known < len(line):
            opens = min(opens, known, *(first for first, last in self.spans(line) if first < known < last))
            opens = min(opens, self._opens(line[:known]))
        if escapes.matter(line[:known], self._codes):
            for whole, (starts, ends) in escapes.readings_in_place(line[:known]):
                # What was not certain in one reading makes nothing certain in the next.
                text = whole[: bisect_right(ends, known)]
                certain = escapes.unfinished(text)
                places = [*starts[: len(text)], known]
                known = places[certain]
                opens = min(opens, known, places[self._opens(text[:certain])])
        return start + opens

    def _opens(self, line: bytes) -> int:
        """The same in a line that is not whole, whose escapes count as they are."""
        begin = max((match.end() for match in _NO_QUOTING.finditer(line)), default=0)
        text = line[begin:]
        bare = escapes.unquoted(text)
        size, opens = len(bare), self._blocks.run_opens(bare)
        for start in range(max(0, size - self._longest + 1), opens):
            if (size - start < 4 or bare[start : start + 4] in self._heads) and self._begins(bare[start:]):
                opens = start
                break
        return begin + escapes.kept(text)[opens] if opens < size else len(line)

    def _begins(self, rest: bytes) -> bool:
        place = bisect_right(self._openers, rest)
        return place < len(self._openers) and self._openers[place].startswith(rest)

    def looks_behind(self, byte: int) -> bool:
        """Whether it matters to what follows that this byte stands before it."""
        return self._alone is not None and whole_words.is_letter(byte)


class Running:
    """Masks a text that comes in pieces, as if it came in one; what is given out is never taken back.

    It keeps the end that may yet become a secret, no longer than the longest spelling of one, and never past a newline.
    """

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._tail = b""
        # How many bytes of the tail only tell what stands before it.
        self._before = 0
        # How many are out already: those, and what is under the stars of a secret that a next one may overlap.
        self._out = 0

    def feed(self, data: bytes) -> bytes:
        """What can be given out, now that `data` has come."""
        if self._tail:
            data = self._tail + data
        elif data[-1:] == b"\n" and self._masker.is_clean(data):
            return data
        return self._take(data, self._masker.open_from(data))

    def finish(self) -> bytes:
        """The rest; the next piece begins a new text."""
        rest = self._take(self._tail, len(self._tail))
        self.forget()
        return rest

    def forget(self) -> None:
        """Drop what is kept."""
        self._tail, self._before, self._out = b"", 0, 0

    def _take(self, data: bytes, until: int) -> bytes:
        spans = self._masker.spans(data)
        # Of a word that must stand alone it is to be known what stands before it, be that written as an escape.
        before = min(until, escapes.LONGEST) if until and self._masker.looks_behind(data[until - 1]) else 0
        if not spans and not self._out and until == len(data) and not before:
            self._tail = b""
            return data
        # One that seems to start in the bytes before was judged when those came.
        pieces, end = covered(data, (span for span in spans if span[0] >= self._before), self._out, until)
        if end < until:
            pieces.append(data[end:until])
            end = until
        self._tail, self._before, self._out = data[until - before :], before, end - (until - before)
        return b"".join(pieces)


def covered(data: bytes, spans: Iterable[Span], begin: int, until: int) -> tuple[list[bytes], int]:
    """(pieces from `begin` with stars for every span that starts before `until`, where the last one ends).

    Spans that overlap become one; one that overlaps what stands before `begin` adds no stars.
    """
    pieces: list[bytes] = []
    for start, end in spans:
        if start >= until:
            break
        if start >= begin:
            pieces += [data[begin:start], STARS.encode()]
        begin = max(begin, end)
    return pieces, begin
