"""How languages and tools write a text: what a secret may look like in a log."""

import base64
import codecs
import csv
import html
import io
import json
import pprint
import re
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus
from xml.sax import saxutils

import yaml

from runner.programs.masking import STARS, Masker

SIGNS = "!#$%&()*+,-./:;<=>?@[]^_`{|}~ \"'\\\té€я😀abcXYZ0189"
"""What tools treat in ways of their own, letters of two to four bytes, and letters and digits."""
EDGES = "abXY09!#$%&()*+./:;<=>?@[]{|}~é€я"
"""What a secret of the tests may end with: a quote there is not masked, and a space not looked for."""
Spell = Callable[[str], str]
# All that JavaScript's encodeURI leaves, and what others leave besides letters and digits.
SAFE = ("", "/", "/:", "~", "!~*'()", ";,/?:@&=+$-_.!~*'()#")


def go_json(text: str) -> str:
    """As Go writes it, and Jinja's own tojson for some of it."""
    return re.sub("[<>&]", lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))


def capital_digits(text: str) -> str:
    return re.sub(r"(?<=\\u)[0-9a-f]{4}", lambda match: match[0].upper(), json.dumps(text))


def a_row(text: str) -> str:
    """Of a file with comma-separated values."""
    file = io.StringIO()
    csv.writer(file).writerow([text, 1])
    return file.getvalue().removesuffix(",1\r\n")


SPELLINGS: dict[str, Spell] = {
    "plain": str,
    "json": json.dumps,
    "json of letters": lambda text: json.dumps(text, ensure_ascii=False),
    "json of Go": go_json,
    "json of PHP": lambda text: json.dumps(text).replace("/", "\\/"),
    "json in capital digits": capital_digits,
    "json three times": lambda text: json.dumps(json.dumps(json.dumps(text))),
    "repr": repr,
    "ascii": ascii,
    "bytes": lambda text: repr(text.encode())[1:],
    "pprint": pprint.pformat,
    "a list in a list": lambda text: repr([[text], (text,)]),
    "unicode_escape": lambda text: codecs.encode(text, "unicode_escape").decode(),
    "shlex": shlex.quote,
    "shell within single quotes": lambda text: text.replace("'", "'\\''"),
    "shell within double quotes": lambda text: re.sub(r'([\\"$`])', r"\\\1", text),
    "PowerShell": lambda text: re.sub(r'([`"$])', r"`\1", text),
    "cmd": lambda text: re.sub(r"([&|<>^])", r"^\1", text),
    "SQL": lambda text: text.replace("'", "''"),
    "SQL with backslashes": lambda text: re.sub(r"(['\"\\])", r"\\\1", text),
    "csv": a_row,
    "html": html.escape,
    "html with three digits": lambda text: html.escape(text).replace("&#x27;", "&#039;"),
    "html of ASCII": lambda text: html.escape(text).encode("ascii", "xmlcharrefreplace").decode(),
    "xml": saxutils.escape,
    "xml attribute": lambda text: saxutils.quoteattr(text, {"'": "&apos;", '"': "&quot;"}),
    "html in a URL": lambda text: quote(html.escape(text), safe=""),
    "json in a URL": lambda text: quote(json.dumps(text)[1:-1], safe=""),
    "URL twice": lambda text: quote(quote(text, safe=""), safe=""),
    "URL in small letters": lambda text: re.sub("%..", lambda match: match[0].lower(), quote(text, safe="")),
    **{f"URL but for {safe!r}": lambda text, safe=safe: quote(text, safe=safe) for safe in SAFE},  # type: ignore[misc]  # default of a lambda
    **{f"form but for {safe!r}": lambda text, safe=safe: quote_plus(text, safe=safe) for safe in SAFE},  # type: ignore[misc]  # same
    "regex": re.escape,
    "yaml": lambda text: yaml.safe_dump([text], width=1000)[2:],
    "yaml in quotes": lambda text: yaml.safe_dump([text], default_style='"', width=1000)[2:],
    "yaml of letters": lambda text: yaml.safe_dump([text], allow_unicode=True, width=1000)[2:],
    "dollars doubled": lambda text: text.replace("$", "$$"),
    "per cent doubled": lambda text: text.replace("%", "%%"),
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
    "capitalize": str.capitalize,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 without padding": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 in a URL": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
    "hex": lambda text: text.encode().hex(),
    "hex in capitals": lambda text: text.encode().hex().upper(),
    "hex with blanks": lambda text: text.encode().hex(" "),
    "all per cent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "all hex": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "all octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "all decimal": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "all of Rust": lambda text: "".join(f"\\u{{{ord(letter):x}}}" for letter in text),
}


def left(masked: str) -> str:
    """The letters and digits that are left of a masked spelling, but for those that stand for a line end or a tab."""
    return "".join(re.findall(r"\w", re.sub(r"\\+[nrt]", "", masked.replace(STARS, "")).replace("_", "")))


def clear(secret: str, written: str) -> list[str]:
    """What is left of a secret as it is written, and as ansible prints that: inside JSON, and inside Python there."""
    masker = Masker([secret])
    printed = (written, json.dumps(written), json.dumps(written, ensure_ascii=False), json.dumps(repr([written])))
    return [rest for text in printed if (rest := left(masker.mask(text)))]
