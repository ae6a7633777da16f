"""Masking: the texts under which a secret may appear, and where they stand in what a job prints.

Standard library only: `runner/child.py` loads this file by its path into the process that runs ansible.

Patterns are UTF-8 and hold no newline. They are found by their blocks of four bytes: every pattern of seven bytes or
more covers a block that starts at a multiple of four, so a text is read as numbers of four bytes, and each is looked
up once. What a line costs does not depend on the number of secrets: 2 us for 100 bytes, of 50 as of 500 passwords
(Python 3.11 on an AMD EPYC; ansible itself takes 100 us to make that line).
"""

import base64
import json
import re
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

STARS = "********"
SHORT_WORD = 4
"""Words with fewer characters are masked only where they stand alone, and not at all without a letter or digit."""
SHORT_NUMBER = 6
"""The same for words of digits, points and signs; in this way a port or a small count leaves the log readable."""
SHORT_PIECE = 8
"""Lines of a secret of several lines, and pieces of base64, with fewer characters than these are not looked for."""

_DEPTH = 3
_WORD_BYTES = rb"0-9A-Za-z\x80-\xff"
_IS_WORD_BYTE = frozenset(number for number in range(256) if re.match(rb"[%b]" % _WORD_BYTES, bytes([number])))
# By bits set: at which offsets of a pattern its block stands.
_OFFSETS = [tuple(offset for offset in range(4) if bits >> offset & 1) for bits in range(16)]
_SHIFTS = {4: (0, 1, 2, 3), 5: (0, 2), 6: (0, 2)}

Span = tuple[int, int]


def forms(word: str) -> frozenset[str]:
    """Every text under which `word` may appear in a log; none holds a newline.

    Of a word of several lines each line counts for itself, besides the whole in the forms that fit on one line.
    """
    if "\n" not in word:
        return frozenset(_forms_of_line(word))
    lines = {line for line in map(str.strip, word.split("\n")) if len(line) >= SHORT_PIECE and line[:5] != "-----"}
    found = {form for form in _forms_of_line(word) if "\n" not in form and len(form) >= SHORT_PIECE}
    return frozenset(found.union(*map(_forms_of_line, lines)))


def _forms_of_line(text: str) -> set[str]:
    raw = _bytes(text)
    written = {text, ascii(text)[1:-1], repr(raw)[2:-1], *_shell(text), *_yaml(text), *_url(raw), *_base64(raw)}
    # Ansible prints each result as JSON and each item of a loop as Python does, whatever a playbook did before.
    return _nested({text}, _DEPTH) | _nested(written, _DEPTH - 1)


def _nested(texts: set[str], depth: int) -> set[str]:
    """`texts`, and what becomes of them inside up to `depth` texts of JSON or Python."""
    found = texts
    for _ in range(depth):
        texts = {inside(text) for text in texts for inside in _INSIDE} - found
        found = found | texts
    return found


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _json_ascii(text: str) -> str:
    return json.dumps(text)[1:-1]


def _json_html(text: str) -> str:
    """As Jinja's own `tojson` writes it."""
    return re.sub("[<>&']", lambda match: f"\\u{ord(match[0]):04x}", _json_ascii(text))


def _python(text: str) -> str:
    return repr(text)[1:-1]


def _python_among_quotes(text: str) -> str:
    """Inside a longer text that holds both kinds of quotes, where the single ones are escaped."""
    return repr(text + "'\"")[1:-4]


_INSIDE = (_json, _json_ascii, _json_html, _python, _python_among_quotes)


def _shell(text: str) -> Iterator[str]:
    yield text.replace("'", "'\"'\"'")
    yield text.replace("'", "'\\''")
    yield re.sub(r'([\\"$`])', r"\\\1", text)
    yield re.sub(r"([^\w@%+=:,./-])", r"\\\1", text, flags=re.ASCII)
    yield re.escape(text)


def _yaml(text: str) -> Iterator[str]:
    yield text.replace("'", "''")
    escaped = _json(text)
    yield re.sub(r"[^\x20-\x7e]", lambda match: _yaml_character(ord(match[0])), escaped)


def _yaml_character(number: int) -> str:
    if number <= 0xFF:
        return f"\\x{number:02X}"
    return f"\\u{number:04X}" if number <= 0xFFFF else f"\\U{number:08X}"


def _url(raw: bytes) -> Iterator[str]:
    for quoted in (quote(raw, safe=""), quote(raw, safe="/"), quote_plus(raw)):
        yield quoted
        yield re.sub("%..", lambda match: match[0].lower(), quoted)


def _base64(raw: bytes) -> Iterator[str]:
    """Of the word alone, and of what is certain of it inside a longer text: after 0, 1 or 2 bytes modulo 3."""
    whole = base64.b64encode(raw).decode()
    pieces = [whole]
    for before in range(3):
        # Six bits a character: those at the edges also hold bits of the neighbours.
        first, last = -(-8 * before // 6), 8 * (before + len(raw)) // 6
        pieces.append(base64.b64encode(bytes(before) + raw).decode()[first:last])
    for piece in pieces:
        if len(piece) >= SHORT_PIECE:
            yield piece
            yield piece.replace("+", "-").replace("/", "_")


class Masker:
    """Finds the forms of some words. It never changes, so threads and forks may share it."""

    def __init__(self, words: Iterable[str]) -> None:
        patterns, alone = _sorted_out(words)
        self._patterns = patterns
        self._lengths: dict[bytes, tuple[int, ...]] = {}
        self._blocks: dict[int, int] = {}
        self._index()
        self._shifts = _SHIFTS.get(min(map(len, patterns), default=0), (0,)) if patterns else ()
        self._alone = _alone_regex(alone)
        # A word that must stand alone is open until the byte after it is known.
        self._openers = sorted(patterns | {word + b"\n" for word in alone})
        self._heads = {opener[:4] for opener in self._openers}
        self._longest = max(map(len, self._openers), default=0)

    def _index(self) -> None:
        lengths: dict[bytes, set[int]] = {}
        for pattern in self._patterns:
            lengths.setdefault(pattern[:4], set()).add(len(pattern))
            for offset in range(min(4, len(pattern) - 3)):
                block = int.from_bytes(pattern[offset : offset + 4], sys.byteorder)
                self._blocks[block] = self._blocks.get(block, 0) | 1 << offset
        self._lengths = {head: tuple(sorted(found, reverse=True)) for head, found in lengths.items()}

    def mask(self, text: str) -> str:
        """`text` without the secrets; the same object if it holds none."""
        data = _bytes(text)
        spans = self.spans(data)
        if not spans:
            return text
        pieces, end = covered(data, spans, 0, len(data))
        return b"".join([*pieces, data[end:]]).decode("utf-8", "surrogatepass")

    def spans(self, data: bytes) -> list[Span]:
        """(start, end) of each secret in `data`, in the order of their starts; they may overlap."""
        found: list[Span] = []
        for shift in self._shifts:
            stop = len(data) - (len(data) - shift) % 4
            if stop <= shift:
                continue
            view = memoryview(data)[shift:stop].cast("I")
            if self._blocks.keys().isdisjoint(view):
                continue
            for number, block in enumerate(view):
                if block in self._blocks:
                    found += self._at(data, shift + 4 * number, self._blocks[block])
        if self._alone is not None:
            found += _each(self._alone, data)
        found.sort()
        return found

    def _at(self, data: bytes, place: int, bits: int) -> Iterator[Span]:
        """The longest pattern from each start that a block at `place` may belong to."""
        for offset in _OFFSETS[bits]:
            start = place - offset
            for length in self._lengths.get(data[start : start + 4], ()) if start >= 0 else ():
                # At the end of the data a piece may be shorter than asked for, and still be a pattern.
                piece = data[start : start + length]
                if piece in self._patterns:
                    yield start, start + len(piece)
                    break

    def open_from(self, data: bytes) -> int:
        """Where the longest end of `data` starts that may yet become a secret; the length of `data` if none may."""
        size = len(data)
        for start in range(max(data.rfind(b"\n") + 1, size - self._longest + 1), size):
            if (size - start < 4 or data[start : start + 4] in self._heads) and self._begins(data[start:]):
                return start
        return size

    def _begins(self, rest: bytes) -> bool:
        place = bisect_right(self._openers, rest)
        return place < len(self._openers) and self._openers[place].startswith(rest)

    def looks_behind(self, byte: int) -> bool:
        """Whether it matters to what follows that this byte stands before it."""
        return self._alone is not None and byte in _IS_WORD_BYTE


class Running:
    """Masks a text that comes in pieces, as if it came in one; what is given out is never taken back.

    It keeps the end that may yet become a secret, at most as long as the longest form, and never past a newline.
    """

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._tail = b""
        # How many bytes of the tail only tell what stands before it: 0 or 1.
        self._before = 0
        # How many are out already: those, and what is under the stars of a secret that a next one may overlap.
        self._out = 0

    def feed(self, data: bytes) -> bytes:
        """What can be given out, now that `data` has come."""
        data = self._tail + data
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
        before = 1 if until and self._masker.looks_behind(data[until - 1]) else 0
        if not spans and not self._out and until == len(data) and not before:
            self._tail = b""
            return data
        # One that seems to start in the byte before was judged when that byte came.
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


def _sorted_out(words: Iterable[str]) -> tuple[set[bytes], set[bytes]]:
    """(patterns to find anywhere, patterns to find where they stand alone)."""
    patterns: set[str] = set()
    alone: set[str] = set()
    for word in set(words):
        if len(word) < SHORT_WORD or (len(word) < SHORT_NUMBER and re.fullmatch(r"[0-9.+-]+", word)):
            for form in forms(word) if any(map(str.isalnum, word)) else ():
                (patterns if len(form) >= SHORT_PIECE else alone).add(form)
        elif not word.isspace():
            patterns |= forms(word)
    return {_bytes(form) for form in patterns}, {_bytes(form) for form in alone}


def _bytes(text: str) -> bytes:
    """UTF-8, also of half a surrogate pair: no text that a job prints may fail here."""
    return text.encode("utf-8", "surrogatepass")


def _alone_regex(words: set[bytes]) -> re.Pattern[bytes] | None:
    if not words:
        return None
    longest_first = b"|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    return re.compile(b"(?<![%b])(?:%b)(?![%b])" % (_WORD_BYTES, longest_first, _WORD_BYTES))


def _each(pattern: re.Pattern[bytes], data: bytes) -> Iterator[Span]:
    """Every match, those that overlap an earlier one too."""
    match = pattern.search(data)
    while match is not None:
        yield match.span()
        match = pattern.search(data, match.start() + 1)
