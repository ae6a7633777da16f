"""Spellings: the texts under which a secret may stand in what a job prints, and which secrets are too short for that.

What tools make of a letter is undone before anything is looked for (escapes.py). Left are the spellings that no undoing
brings back: base64 and hexadecimal digits, other forms of letters, the lines and words of a longer secret.
"""

import base64
import json
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import Enum

from . import escapes

SHORT_WORD = 4
"""Words with fewer characters are masked only where they stand alone; quotes and backslashes do not count."""
SHORT_PLAIN = 6
"""The same for words of letters alone, and for those of digits, points and signs: a port leaves the log readable."""
SHORT_PIECE = 8
"""Bytes of what is part of a longer secret: its words, its lines, its base64."""
FEW = 12
"""Only a line of at most so many words is taken for a phrase, whose words may be printed one by one."""
FEW_LINES = 8
"""A secret of more lines is a text, whose short lines are not looked for, unless it is a key."""
_KEY = "-----BEGIN "
_SHORT_BASE64 = 200
# Of what is longer than that; hardly a tool makes lines as short.
_LONG_PIECE = 32
_LINE = 80
_LONG_PART = 16
_SHORT_HEX = 12
_SPACED_HEX = 20
_VARIED = 6
_SHORT_BYTES = 256
# Of what is longer, nobody prints the single bytes.
_SPACED_BYTES = 8192

COMMON = frozenset(
    {"true", "false", "yes", "no", "on", "off", "null", "none", "nil", "undefined"}
    | {"ok", "changed", "failed", "fatal", "skipped", "skipping", "unreachable", "rescued", "ignored"}
)
"""What every log is full of: as a secret it would take the sense out of it, and the stars would tell what it is."""
_ANY = re.compile(r"[^\W_]")
_PLAIN = re.compile(r"[0-9.+-]+|[a-z]+|[A-Z][a-z]*|[A-Z]+")
_BETWEEN_WORDS = re.compile(r"[\s,;]+")
_BEYOND_16_BITS = re.compile(r"[\U00010000-\U0010ffff]")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_JINJA_WORDS = re.compile(r"([-\s({\[<]+)")
_IN_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://([^/?#\s]+)@")
_SIGNS = escapes.SIGNS.decode()


class Masking(Enum):
    """Where a word is masked."""

    NOWHERE = "nowhere"
    ALONE = "where no letter or digit stands beside it"
    ANYWHERE = "anywhere"


class Spellings:
    """What to look for, in UTF-8. `whole` and `runs` are without quoting (escapes.py), `alone` is as it is printed.

    whole   texts to find; for each the signs that must stand in it as often, one Counter for each word it is made of
    runs    texts of which any piece counts that is long enough, and how many bytes that is
    alone   words to find where no letter or digit stands beside them
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.whole: dict[bytes, tuple[Counter[int], ...]] = {}
        self.runs: dict[bytes, int] = {}
        self.alone: set[bytes] = set()
        # The characters that any of them is made of.
        self.letters = set(string.ascii_letters + string.digits + "+/-_=")
        for word in set(words):
            self._add(word.strip())
            if word.strip() != word and len(word) < 2 * SHORT_PIECE and masking(word) is not Masking.NOWHERE:
                # In base64 it may be long enough only together with the space beside it.
                self._add_encoded(word)

    def _add(self, word: str) -> None:
        if len(word.splitlines()) > 1:
            self._add_text(word)
        elif masking(word) is not Masking.NOWHERE:
            self._add_line(word)
            self._add_encoded(word)
            self._add_parts(word)

    def _add_text(self, text: str) -> None:
        """A secret of several lines: the whole as it is encoded, and each line as it is."""
        self._add_encoded(text)
        lines, is_key = lines_of(text), text.startswith(_KEY)
        for line in lines:
            if is_key and len(line) >= SHORT_PIECE:
                # Nobody writes it in other letters.
                self._add_whole(line)
            elif is_key:
                self._add_alone(line)
            elif len(lines) <= FEW_LINES:
                self._add(line)
            elif len(line) >= SHORT_PIECE:
                self._add_line(line)

    def _add_line(self, line: str) -> None:
        kind = masking(line)
        if kind is Masking.ALONE:
            self._add_alone(line)
        elif kind is Masking.ANYWHERE:
            for text in _written(line):
                self._add_whole(text)
            words = line.split()
            if len(words) > FEW:
                # YAML breaks it where it likes.
                self.runs[escapes.unquoted(to_bytes(line))] = _LONG_PART
                # There are fewer of them than letters.
                for number in range(1, min(len(words), _LONG_PART)):
                    for part in (" ".join(words[:number]), " ".join(words[-number:])):
                        if SHORT_PIECE <= len(part) < _LONG_PART:
                            self._add_whole(part)

    def _add_alone(self, word: str) -> None:
        found = {word, _in_halves(word), unicodedata.normalize("NFC", word), unicodedata.normalize("NFD", word)}
        if len(word) >= SHORT_WORD or not word.isalpha():
            found |= {word.lower(), word.upper(), word.capitalize(), word.title(), _jinja_title(word)}
        self.letters.update(*found)
        self.alone |= {to_bytes(form) for form in found}

    def _add_whole(self, text: str) -> None:
        self.letters.update(text)
        raw = to_bytes(text)
        self._add_pattern(raw)
        if escapes.has_escapes(raw):
            # As it is read where it stands in other escapes.
            undone = escapes.undone(raw)
            self._add_pattern(undone)
            if masking(undone.decode("utf-8", "replace")) is Masking.ALONE:
                self.alone.add(undone)

    def _add_pattern(self, raw: bytes) -> None:
        pattern = escapes.unquoted(raw)
        if len(pattern) < SHORT_WORD:
            return
        signs = escapes.counted(raw.strip(escapes.SIGNS)) if len(pattern) < len(raw) else None
        if not signs:
            self.whole[pattern] = ()
        elif self.whole.get(pattern, True):
            self.whole[pattern] = (*self.whole.get(pattern, ()), signs)

    def _add_parts(self, line: str) -> None:
        """The words of a phrase, the password in a URL, and what follows the name in `name:password`."""
        parts = [login.partition(":")[2] for login in (line, *_IN_URL.findall(line))]
        words = line.split()
        if len(words) <= FEW:
            parts += _BETWEEN_WORDS.split(line)
            for word in words if len(words) > 1 else ():
                bare = word.strip("".join({sign for sign in word if not sign.isalnum()}))
                if SHORT_WORD <= len(bare) < SHORT_PIECE and bare.isalnum() and masking(bare) is not Masking.NOWHERE:
                    self._add_alone(bare)
        for part in parts:
            if len(part) >= SHORT_PIECE and part != line and masking(part) is Masking.ANYWHERE:
                self._add_line(part)

    def _add_encoded(self, word: str) -> None:
        """Base64, also of UTF-16 as PowerShell takes commands, and hexadecimal digits, also one byte from the next."""
        raw = to_bytes(word)
        texts = {raw, word.encode("utf-16-le", "surrogatepass")}
        if '"' in word or "\\" in word or not word.isprintable() or not word.isascii():
            texts |= {to_bytes(_json(word, ascii_too=False)), to_bytes(_json(word, ascii_too=True))}
        for text in texts:
            for piece in _base64(text):
                short = len(piece) <= _SHORT_BASE64
                self._add_run(piece, SHORT_PIECE if short else _LONG_PIECE)
                if not short and not word.startswith(_KEY):
                    # What it begins or ends with may be in a line with something else. Of a key that is its frame.
                    self._add_run(piece[:_LINE], SHORT_PIECE)
                    self._add_run(piece[-_LINE:], SHORT_PIECE)
        self._add_hex(raw)

    def _add_hex(self, raw: bytes) -> None:
        """Hexadecimal digits in both cases, also one byte from the next. Tools break what is long into lines."""
        for between in ("", " ", ":", "-") if len(raw) <= _SPACED_BYTES else ("",):
            need = _SPACED_HEX if between else _SHORT_HEX
            parts = [(raw, need)] if len(raw) <= _SHORT_BYTES else [(raw, _LONG_PIECE), (raw[-_LONG_PIECE:], need)]
            for part, least in parts:
                digits = part.hex(between).encode() if between else part.hex().encode()
                self._add_run(digits, least)
                self._add_run(digits.upper(), least)

    def _add_run(self, text: bytes, need: int) -> None:
        """One that repeats itself, as the base64 of zeros, counts only as a whole: its pieces would be everywhere."""
        if len(text) >= SHORT_PIECE and len(set(text)) > _VARIED:
            self.runs[text.translate(escapes.SAME)] = min(need, len(text))
        else:
            self._add_piece(text)

    def _add_piece(self, text: bytes) -> None:
        if len(text) >= SHORT_PIECE:
            self.whole[text.translate(escapes.SAME)] = ()


def lines_of(word: str) -> list[str]:
    """The lines of a secret that say something, without space at either end; not the frame of a key."""
    return [line for line in map(str.strip, word.splitlines()) if _ANY.search(line) and line[:5] != "-----"]


def masking(word: str) -> Masking:
    """Where a secret of one line is masked."""
    signs = word.strip().translate(dict.fromkeys(map(ord, _SIGNS)))
    if len(signs) < 2 or signs.lower() in COMMON:
        return Masking.NOWHERE
    if not _ANY.search(signs):
        return Masking.NOWHERE if len(signs) < SHORT_WORD or signs.isspace() else Masking.ANYWHERE
    short = SHORT_PLAIN if _PLAIN.fullmatch(signs) else SHORT_WORD
    return Masking.ALONE if len(signs) < short else Masking.ANYWHERE


def to_bytes(text: str) -> bytes:
    """UTF-8, also of half a surrogate pair: no text that a job prints may fail here."""
    return text.encode("utf-8", "surrogatepass")


def _written(line: str) -> set[str]:
    """The ways to write a line that are none of escapes."""
    found = {line}
    if not line.isascii():
        found |= {unicodedata.normalize(form, line) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    for text in list(found):
        found |= {text.lower(), text.upper(), text.capitalize(), text.title(), text.swapcase(), _jinja_title(text)}
    if not line.isascii():
        # Read in another encoding than it was written in.
        found |= {to_bytes(line).decode("latin-1"), to_bytes(line).decode("ascii", "surrogateescape")}
        plain = line.encode("ascii", "ignore").decode()
        if len(plain) >= SHORT_WORD and _ANY.search(plain):
            found |= {plain, *(_BEYOND_ASCII.sub(mark, line) for mark in "?\ufffd")}
            found.add(to_bytes(line).decode("ascii", "replace"))
    if any(character.isspace() for character in line):
        found |= {line.replace(" ", "+"), " ".join(line.split())}
    return found | {_in_halves(text) for text in found}


def _jinja_title(text: str) -> str:
    return "".join(part[:1].upper() + part[1:].lower() for part in _JINJA_WORDS.split(text))


def _in_halves(text: str) -> str:
    """As tools escape it that know only characters of 16 bits: others as two halves."""
    return _BEYOND_16_BITS.sub(lambda match: "".join(_halves(ord(match[0]) - 0x10000)), text)


def _halves(number: int) -> Iterator[str]:
    yield chr(0xD800 + (number >> 10))
    yield chr(0xDC00 + (number & 0x3FF))


def _json(text: str, *, ascii_too: bool) -> str:
    return json.dumps(text, ensure_ascii=ascii_too)[1:-1]


def _base64(raw: bytes) -> Iterator[bytes]:
    """Of the word alone, and of what is certain of it inside a longer text: after 0, 1 or 2 bytes modulo 3."""
    yield base64.b64encode(raw)
    # After 0 it begins as the whole does.
    for before in (1, 2):
        # Six bits a character: those at the edges also hold bits of the neighbours.
        first, last = -(-8 * before // 6), 8 * (before + len(raw)) // 6
        yield base64.b64encode(bytes(before) + raw)[first:last]
