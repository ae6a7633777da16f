"""Finds words that are too short to be looked for inside others, where no letter or digit stands beside them."""

import re
from collections import Counter
from collections.abc import Collection

from . import escapes

_LETTERS = rb"0-9A-Za-z\x80-\xff"
_RUN = re.compile(rb"[%b]+" % _LETTERS)
_IS_LETTER = frozenset(number for number in range(256) if _RUN.match(bytes([number])))
# Leaves words with blanks between.
_ONLY_LETTERS = bytes(number if number in _IS_LETTER else 32 for number in range(256))
_ANY_SIGNS = b"[%b]{0,%d}" % (re.escape(escapes.SIGNS), escapes.MOST_SIGNS)
# What stands behind the end of a line stands alone, also where that is written as an escape; all of equal length.
_PARTINGS = ((b"\\n", b"\n\n"), (b"\\t", b"\n\n"), (b"\\r", b"\n\n"))

Span = tuple[int, int]


class Alone:
    """Finds words, in UTF-8, each with a letter or digit in it. It never changes."""

    def __init__(self, words: Collection[bytes]) -> None:
        # Each word of letters and digits alone is one of those that a text parts into.
        self._plain = frozenset(word for word in words if _RUN.fullmatch(word))
        # The others, without quoting: the signs that must be there as often, for each word.
        self._odd: dict[bytes, list[Counter[int]]] = {}
        for word in set(words) - self._plain:
            inside = word.strip(escapes.SIGNS)
            self._odd.setdefault(escapes.dropped(inside), []).append(escapes.counted(inside))
        longest_first = sorted(self._odd, key=len, reverse=True)
        either = b"|".join(_ANY_SIGNS.join(re.escape(bytes([byte])) for byte in word) for word in longest_first)
        self._regex = re.compile(b"(?:%b)(?![%b])" % (either, _LETTERS)) if either else None

    def spans(self, text: bytes) -> list[Span]:
        """(start, end) of each, in no order."""
        found = self._in(text)
        if 92 in text:
            parted = text
            for escape, line in _PARTINGS:
                parted = parted.replace(escape, line)
            found += self._in(parted) if parted != text else []
        return found

    def _in(self, text: bytes) -> list[Span]:
        found: list[Span] = []
        if not self._plain.isdisjoint(text.translate(_ONLY_LETTERS).split()):
            found += [match.span() for match in _RUN.finditer(text) if match[0] in self._plain]
        match = self._regex.search(text) if self._regex is not None else None
        while self._regex is not None and match is not None:
            start, end = match.span()
            needs = self._odd[escapes.dropped(match[0])]
            if start and text[start - 1] in _IS_LETTER:
                pass
            elif any(all(match[0].count(sign) >= times for sign, times in need.items()) for need in needs):
                found.append((start, end))
            # Those that overlap too.
            match = self._regex.search(text, start + 1)
        return found


def is_letter(byte: int) -> bool:
    """Whether a byte is of a letter or digit, so that nothing beside it stands alone."""
    return byte in _IS_LETTER
