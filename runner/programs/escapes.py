r"""Escapes: what a printed text says once the signs that tools put into it are undone.

Tools write the same letter in many ways: `&` as `&amp;`, `%26`, `\u0026` or `\x26`, and again inside one another.
Two kinds of reading serve to find a secret in all of them. `unquoted` is cheap and never mistakes one letter for
another: it drops the signs that only quote others. `readings` decode, and are asked for only where there is something
to decode.
"""

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from html.entities import codepoint2name
from itertools import compress

MOST_ROUNDS = 4
"""How deep escapes are undone that stand inside one another, such as `%2526` or `\\u0026amp;`; two are the usual."""
MOST_SIGNS = 160
"""More quoting signs in a row than these are no quoting, and part the text: five levels of JSON make 31 of each."""
LONGEST = 96
"""Bytes that the escapes of one character take up, at most."""
SIGNS = b"\\'\"`^\0"
"""Backslash, quotes, the back-tick of PowerShell, the caret of cmd, and the other half of a letter in UTF-16."""
SAME = bytes.maketrans(b"-_\a\b\t\v\f\r\x1b", b"+/abtvfre")
"""What counts as the same: the alphabet of base64 for URLs as the usual one, a tab as the t that stands for it."""

_QUOTES = b"'\"`^"
_KEPT = bytes(number not in SIGNS for number in range(256))
_HEX = b"[0-9A-Fa-f]"


def _bytewise(name: bytes, lead: bytes, any_byte: bytes, firsts: tuple[bytes, ...], on: bytes) -> bytes:
    """One character whose bytes are escaped one by one, if they fit in UTF-8: without the sign of its first byte.

    `firsts` are the digits of a byte that begins two, three or four, and `on` those of one that goes on.
    """
    more = rb"(?:\\{0,16}%b%b)" % (lead, on)
    rests = [first + more + b"{%d}" % number for number, first in enumerate(firsts, 1)]
    return b"(?P<%b>%b(?:%b|%b))" % (name, lead[1:].removeprefix(b"\\"), b"|".join(rests), any_byte)


_FIRST_HEX = (b"[cCdD]" + _HEX, b"[eE]" + _HEX, b"[fF][0-7]")
_FIRST_OCTAL = (b"3[0-3][0-7]", b"3[45][0-7]", b"36[0-7]")
_BACKSLASHED = b"|".join(
    [
        _bytewise(b"hex", rb"\\x", _HEX + _HEX, _FIRST_HEX, b"[89abAB]" + _HEX),
        _bytewise(b"octal", rb"\\", b"[0-3][0-7]{2}", _FIRST_OCTAL, b"2[0-7]{2}"),
        rb"u(?P<u>%b{4})|U(?P<U>%b{8})|[ux]\{(?P<braces>%b{1,6})\}" % (_HEX, _HEX, _HEX),
    ]
)
_PERCENT = b"|".join(
    [
        _bytewise(b"percent", b"%", _HEX + _HEX, _FIRST_HEX, b"[89abAB]" + _HEX),
        b"u(?P<pu>%b{4})|(?P<per>%%)" % _HEX,
    ]
)
_ENTITY = rb"(?:\#(?P<decimal>[0-9]{1,7})|\#[xX](?P<entity>%b{1,6})|(?P<name>[A-Za-z][A-Za-z0-9]{1,7}));" % _HEX
# For programs that read it as a format, and for make and docker compose.
# The end of one piece and the begin of another of a file name, as coreutils quote it.
_NEW_PIECE = rb"(?P<piece>\$\\{0,15}')"
_DOLLAR = rb"(?P<dollar>\$)"
# It begins with a set of signs, so that the search is quick to find the first.
_ESCAPE = re.compile(
    rb"[\\%%&'$](?:(?<=\\)\\{0,15}(?:%b)|(?<=%%)(?:%b)|(?<=&)%b|(?<=')%b|(?<=\$)%b)"
    % (_BACKSLASHED, _PERCENT, _ENTITY, _NEW_PIECE, _DOLLAR)
)
# Whether there is any is asked of each line: these are quick to find their first sign.
_BY_BACKSLASH = re.compile(rb"\\(?:[xuU](?:%b|\{)|[0-3][0-7]{2})" % _HEX)
_BY_PERCENT = re.compile(rb"%%(?:%b{2}|u%b|%%)" % (_HEX, _HEX))
_BY_AMPERSAND = re.compile(rb"&[#A-Za-z][#0-9A-Za-z]{1,8};")
_BY_DOLLAR = re.compile(rb"\$(?:\\*'|\$)")
# The usual ones, in small letters, and the others.
_CODE = re.compile(rb"(?:%%|\\x)%b{2}|[%%\\]u%b{4}|&[a-z][a-z0-9]{1,7};" % (_HEX, _HEX))
_RARE = re.compile(rb"\\(?:U|[xu]\{|[0-3][0-7]{2})|&(?:#|apos;|amp;[#A-Za-z])|\$(?:\\*'|\$)|%%")
# What may go on as an escape: it stands at the end, and holds nothing that no escape holds.
_UNFINISHED = re.compile(rb"(?:[\\%%&$][\\%%&$#;{}0-9A-Za-z]{0,%d}|'(?:\$\\{0,15})?)\Z" % LONGEST)
_IN_BYTES = {
    "percent": (re.compile(rb"%(..)"), 16),
    "hex": (re.compile(rb"\\x(..)"), 16),
    "octal": (re.compile(rb"\\([0-3]..)"), 8),
}
_FIXED = {"piece": b"", "per": b"%", "dollar": b"$"}
Places = tuple[list[int], list[int]]


def unquoted(text: bytes) -> bytes:
    """`text` without the signs that quote."""
    return text.translate(SAME, SIGNS)


def dropped(text: bytes) -> bytes:
    """`text` without the signs that quote, and otherwise as it is."""
    return text.translate(None, SIGNS)


def kept(text: bytes) -> list[int]:
    """For each byte of `unquoted(text)` where it stands in `text`."""
    return list(compress(range(len(text)), text.translate(_KEPT)))


def counted(text: bytes) -> Counter[int]:
    """How often each quote stands in `text`: those that must be there, as no tool leaves one out."""
    return Counter(sign for sign in text if sign in _QUOTES)


def has_escapes(text: bytes) -> bool:
    """Whether `text` may have readings."""
    return (
        # In order: backslash, per cent, ampersand, dollar. As numbers, which are looked for much faster.
        (92 in text and _BY_BACKSLASH.search(text) is not None)
        or (37 in text and _BY_PERCENT.search(text) is not None)
        or (38 in text and _BY_AMPERSAND.search(text) is not None)
        or (36 in text and _BY_DOLLAR.search(text) is not None)
    )


def codes(letters: Iterable[str]) -> frozenset[bytes]:
    """The usual escapes of some characters, and those of the signs that make escapes."""
    found = set[str]()
    for letter in {*letters, *"\\%&#;'$u"}:
        number = ord(letter)
        two = {number, *letter.encode("utf-8", "surrogatepass")}
        found |= {f"{mark}{byte:02x}" for byte in two if byte < 0x100 for mark in ("%", "\\x")}
        found |= {f"{mark}{number:04x}" for mark in ("%u", "\\u")}
        if letter in letters and number in codepoint2name:
            found.add(f"&{codepoint2name[number]};".lower())
    return frozenset(code.encode() for code in found)


def matter(text: bytes, known: frozenset[bytes] | None) -> bool:
    """Whether `text` may have readings of interest: with one of the known `codes`, or a rare escape; None: with any."""
    if not has_escapes(text):
        return False
    return known is None or _RARE.search(text) is not None or not known.isdisjoint(_CODE.findall(text.lower()))


def undone(text: bytes) -> bytes:
    """`text` with each escape replaced by the character that it stands for, and those that come up so as well."""
    return [text, *readings(text)][-1]


def readings(text: bytes) -> Iterator[bytes]:
    """`text` with its escapes undone, then with those undone too that came up so, and so on; nothing without any."""
    for _ in range(MOST_ROUNDS):
        if not has_escapes(text):
            return
        text = _ESCAPE.sub(_meaning, text)
        yield text


def readings_in_place(text: bytes) -> Iterator[tuple[bytes, Places]]:
    """`readings(text)`, and for each byte of one where what it was made from starts and ends in `text`."""
    starts, ends = list(range(len(text))), list(range(1, len(text) + 1))
    for _ in range(MOST_ROUNDS):
        if not has_escapes(text):
            return
        pieces, new_starts, new_ends, last = list[bytes](), list[int](), list[int](), 0
        for match in _ESCAPE.finditer(text):
            start, end = match.span()
            meaning = _meaning(match)
            if meaning == match[0]:
                continue
            pieces += [text[last:start], meaning]
            new_starts += starts[last:start] + [starts[start]] * len(meaning)
            new_ends += ends[last:start] + [ends[end - 1]] * len(meaning)
            last = end
        text = b"".join([*pieces, text[last:]])
        starts, ends = new_starts + starts[last:], new_ends + ends[last:]
        yield text, (starts, ends)


def unfinished(text: bytes) -> int:
    """Where the escape at the end of `text` starts that may go on; the length of `text` if there is none.

    Where there are many in a row it may be one before it, but never what is between the bytes of one character.
    """
    match = _UNFINISHED.search(text, max(0, len(text) - LONGEST))
    if match is None:
        return len(text)
    known = match.start()
    # From further before, so that it is in step at `known`: what begins within an escape goes by in that one.
    for whole in _ESCAPE.finditer(text, max(0, known - 2 * LONGEST)):
        if whole.end() > known:
            return min(known, whole.start())
    return known


def _meaning(match: re.Match[bytes]) -> bytes:
    kind = match.lastgroup or ""
    if kind in _FIXED:
        return _FIXED[kind]
    value = match[kind].decode()
    if kind == "percent" and len(value) == 2 and value < "80":
        return bytes([int(value, 16)])
    if kind in _IN_BYTES:
        return _from_bytes(match[0], *_IN_BYTES[kind])
    if kind == "name":
        named = html.unescape(f"&{value};")
        return match[0] if len(named) > 2 else named.encode()
    number = int(value, 10 if kind == "decimal" else 16)
    return chr(number).encode("utf-8", "surrogatepass") if number < 0x110000 else match[0]


def _from_bytes(written: bytes, each: re.Pattern[bytes], base: int) -> bytes:
    raw = bytes(int(digits, base) for digits in each.findall(written))
    try:
        return raw.decode().encode()
    except UnicodeDecodeError:
        return raw.decode("latin-1").encode()
