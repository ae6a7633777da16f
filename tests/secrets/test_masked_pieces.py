"""A secret written in escapes is masked wherever a piece of the text ends, be it within one character of it."""

import json
from collections.abc import Callable

import pytest

from runner.programs.masking import STARS, Masker
from tests.secrets.test_mask import in_pieces

SECRETS = [
    "мойсекретныйпароль2024",  # noqa: RUF001 (these are the letters)
    "ÄÖÜäöüßÄÖÜäöüßÄÖÜäöüß",
    "日本語パスワードですよ",
    "€1äa😀ä😀cüßübö1ä😀ää22",
    "😀😁😂🤣😃😄😅😆😉😊😋",
    'p%20ssé&wörd;$x\\y"zÄÄÄÄÄÄÄÄÄÄÄÄÄ',
]
WAYS: dict[str, Callable[[str], str]] = {
    "hex": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "hex in JSON": lambda text: "".join(f"\\\\x{byte:02X}" for byte in text.encode()),
    "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "percent twice": lambda text: "".join(f"%25{byte:02X}" for byte in text.encode()),
    "percent three times": lambda text: "".join(f"%2525{byte:02X}" for byte in text.encode()),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON twice": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "halves": lambda text: "".join(f"%u{unit:04X}" for unit in units(text)),
    "long": lambda text: "".join(f"\\U{ord(letter):08x}" for letter in text),
    "braces": lambda text: "".join(f"\\u{{{ord(letter):x}}}" for letter in text),
    "entities": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "entities twice": lambda text: "".join(f"&amp;#x{ord(letter):X};" for letter in text),
}


def units(text: str) -> list[int]:
    raw = text.encode("utf-16-be")
    return [int.from_bytes(raw[start : start + 2]) for start in range(0, len(raw), 2)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("secret", SECRETS)
def test_no_cut_shows_a_letter(secret: str, way: str) -> None:
    masker = Masker([secret])
    text = f"x {WAYS[way](secret)} end\n".encode()
    out = f"x {STARS} end\n".encode()
    assert [cut for cut in range(len(text)) if in_pieces(masker, text, [cut]) != out] == []
    for size in (1, 7, 13):
        assert in_pieces(masker, text, range(0, len(text), size)) == out
