"""Masking: which texts stand for a secret, and that no cut of a text into pieces shows one."""

import base64
import json
import math
import re
import shlex
from collections.abc import Callable, Sequence
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.programs.masking import STARS, Masker, Running
from runner.programs.spellings import Masking, masking
from tests.support.spelt import SPELLINGS

NASTY = "it's \"é\\ <1>$+/x"
KEY = """-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEA\r
  QyNTUxOQAAACDm+/x/
sh0r+==
-----END OPENSSH PRIVATE KEY-----
"""
# Few letters, so that secrets overlap and repeat; the signs that the forms change; no star, which is the mask's own.
TEXTS = st.text(alphabet="ab1\"'\\ é=-&", max_size=12)
WORDS = st.lists(TEXTS.filter(str.strip), max_size=5)


def in_pieces(masker: Masker, text: bytes, cuts: Sequence[int]) -> bytes:
    """What comes out when the text goes in by pieces that end at these places."""
    running = Running(masker)
    ends = [*sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return b"".join([*(running.feed(piece) for piece in pieces), running.finish()])


@pytest.mark.parametrize(
    "form",
    [
        NASTY,
        json.dumps(NASTY)[1:-1],
        json.dumps(NASTY, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(NASTY))[3:-3],
        json.dumps(json.dumps(NASTY, ensure_ascii=False), ensure_ascii=False)[3:-3],
        json.dumps(json.dumps(json.dumps(NASTY)))[7:-7],
        json.dumps(repr(NASTY))[2:-2],
        json.dumps(shlex.quote(NASTY))[2:-2],
        repr(NASTY)[1:-1],
        repr({"both": f"'\"{NASTY}"})[13:-2],
        ascii(NASTY)[1:-1],
        repr(NASTY.encode())[2:-1],
        shlex.quote(NASTY)[1:-1],
        r"it'\''s " + NASTY[5:],
        r"it\'s\ \"é\\\ \<1\>\$+/x".replace("é", "\\é"),
        'it\'s \\"é\\\\ <1>\\$+/x',
        re.escape(NASTY),
        NASTY.replace("'", "''"),
        'it\'s \\"\\xE9\\\\ <1>$+/x',
        r"it\u0027s \"\u00e9\\ \u003c1\u003e$+/x",
        quote(NASTY),
        quote(NASTY, safe=""),
        quote_plus(NASTY),
        "it%27s%20%22%c3%a9%5c%20%3c1%3e%24%2b/x",
        base64.b64encode(NASTY.encode()).decode(),
        base64.urlsafe_b64encode(NASTY.encode()).decode(),
        # JavaScript, Java, Go, bash, coreutils, PHP, HTML.
        "it's%20%22%C3%A9%5C%20%3C1%3E%24%2B%2Fx",
        "it%27s+%22%C3%A9%5C+%3C1%3E%24%2B%2Fx",
        r"it's \"é\\ \u003c1\u003e$+/x",
        r"it's \"\u00E9\\ \u003C1\u003E$+\/x",
        r"it\'s \"\303\251\\ <1>$+/x",
        "it'\\''s \"'$'\\303\\251''\\ <1>$+/x",
        "it&#039;s &quot;&eacute;\\ &lt;1&gt;$+/x",
        "it&#x27;s &#34;&#xe9;\\ &lt;1&gt;$&#43;/x",
        "it%27s%20%22%E9%5C%20%3C1%3E%24%2B/x",
        r"IT'S \"É\\ <1>$+/X",
        'it\'s "e\u0301\\ <1>$+/x',
        "it's \"\ufffd\\ <1>$+/x",
        "it's \"Ã©\\ <1>$+/x",
        "\0".join(NASTY),
        NASTY.encode().hex(),
        NASTY.encode().hex(" "),
        NASTY.encode().hex(":"),
        NASTY.encode().hex("-"),
        base64.b64encode(NASTY.encode("utf-16-le")).decode(),
        NASTY.swapcase(),
    ],
)  # fmt: skip
def test_every_form_is_known(form: str) -> None:
    assert Masker([NASTY]).mask(f"<{form}>") == f"<{STARS}>"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "u", "u:", "us:", "use:", "user:"])
@pytest.mark.parametrize("after", ["", "\n", "@x", "@x."])
def test_base64_of_a_longer_text_shows_no_character_of_it(
    encode: Callable[[bytes], bytes], before: str, after: str
) -> None:
    text = encode(f"{before}{NASTY}{after}".encode()).decode()
    first, last = math.ceil(len(before) * 8 / 6), len((before + NASTY).encode()) * 8 // 6
    masked = Masker([NASTY]).mask(text)
    assert masked.startswith(text[:first] + STARS)
    # The next letter has bits of both, and may be what it is at the end of the word alone; so may the padding.
    rest = masked.removeprefix(text[:first] + STARS)
    assert rest in {text[end:] for end in range(last, min(last + 2, len(text)) + 1)} | {""}
    assert rest == "" or after or len(before) % 3


@pytest.mark.parametrize(
    ("size", "columns"), [(20, 19), (20, 76), (100, 19), (100, 60), (300, 60), (300, 64), (3000, 76)]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\\n", "\\\\n", '",\n        "', "\n    "])
@pytest.mark.parametrize("before", [0, 1, 2, 50])
def test_base64_that_is_broken_into_lines_shows_few_letters(size: int, columns: int, end: str, before: int) -> None:
    """At most eight letters in a row are left, and the outer ones hold bits of what is beside the secret."""
    secret = "".join(f"k{number}Xw#Q7" for number in range(size))[:size]
    text = base64.b64encode(bytes(before) + secret.encode() + bytes(before)).decode()
    lines = [text[start : start + columns] for start in range(0, len(text), columns)]
    masked = Masker([secret]).mask(end.join(lines))
    assert masked.count(STARS) >= len(text.strip("A=")) // columns
    left = re.findall("[A-Za-z0-9+/=]+", masked.replace(end, " ").replace(STARS, " "))
    assert [piece for piece in left if len(piece.strip("A=")) > 8] == []


def test_a_key_is_masked_line_by_line_and_on_one_line() -> None:
    masker = Masker([KEY])
    assert masker.mask(KEY) == (
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{STARS}\r\n  {STARS}\n{STARS}\n-----END OPENSSH PRIVATE KEY-----\n"
    )
    assert masker.mask(json.dumps({"key": KEY})) == (
        f'{{"key": "-----BEGIN OPENSSH PRIVATE KEY-----\\n{STARS}\\r\\n  {STARS}\\n{STARS}\\n'
        '-----END OPENSSH PRIVATE KEY-----\\n"}'
    )
    assert masker.mask(f"+{KEY.splitlines()[1]}\n-{KEY.splitlines()[3]}\n") == f"+{STARS}\n-{STARS}\n"
    assert masker.mask(base64.b64encode(KEY.strip().encode()).decode()) == STARS
    assert masker.mask("xsh0r+== -----BEGIN OPENSSH PRIVATE KEY-----") == "xsh0r+== -----BEGIN OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("word", "text", "masked"),
    [
        ("a", "a cat has a=a, (a) ba ab a1 éa", "a cat has a=a, (a) ba ab a1 éa"),
        ("7", "ok=7 7 77", "ok=7 7 77"),
        ("ab", "ab=ab, (ab) abc cab ab1 éab ab", "*=*, (*) abc cab ab1 éab *"),
        ("a-b", "a-b a-ba ba-b a-b-b", "* a-ba ba-b *-b"),
        ("8080", "8080 18080 80801 port=8080, 8080a", "* 18080 80801 port=*, 8080a"),
        ("-1.5", "-1.5 -1.55", "* -1.55"),
        ("2024", "2024-01-02 20240102", "*-01-02 20240102"),
        ("test", "test the latest Test TEST contest", "* the latest * * contest"),
        ("root", "/root/.ssh chroot root's", "/*/.ssh chroot *'s"),
        ("wx7z", "awx7zb", "a*b"),
        ("123456", "01234567", "0*7"),
        ("12345", "b64: MTIzNDU=", "b64: *"),
        ("", "nothing", "nothing"),
        ("!", "hello!", "hello!"),
        ("/", "/etc/hosts", "/etc/hosts"),
        ("--", "a -- b", "a -- b"),
        ("    ", "a    b", "a    b"),
        ("''''", "a''''b", "a''''b"),
        ("--------", "a--------b", "a*b"),
        ("true", '"changed": true', '"changed": true'),
        ("None", "None", "None"),
        ("ok", "ok: [srv-1] ok=1", "ok: [srv-1] ok=1"),
        # A quote of its own must be there, in any form.
        ("it's", "its it's it''s it\\'s it&#39;s it%27s", "its * * * * *"),
        ('12"34', '1234 12"34 12\\"34', "1234 * *"),
        ("abc'def", "abcdef abc'def abc\\u0027def", "abcdef * *"),
    ],
)
def test_short_words_are_masked_where_they_stand_alone(word: str, text: str, masked: str) -> None:
    expected = masked.replace("*", STARS)
    masker = Masker([word])
    assert masker.mask(text) == expected
    assert in_pieces(masker, text.encode(), range(len(text.encode()))).decode() == expected


@pytest.mark.parametrize(
    ("word", "text", "masked"),
    [
        ("hunter2\n", "is hunter2.", "is *."),
        ("\t hunter2 ", "is hunter2.", "is *."),
        ("hunter2\u00a0\r\n\n", "hunter2", "*"),
        ("hunter2\nab", "hunter2\nab\n", "*\n*\n"),
        ("hunter2\nab", '"stdout": "hunter2\\nab"', '"stdout": "*\\n*"'),
        ("hunter2\nab", '["hunter2", "ab"] cab abc', '["*", "*"] cab abc'),
        ("hunter2\nab", "$'hunter2\\nab'", "$'*\\n*'"),
        ("hunter2\nab", "hunter2\\\\nab\\\\n", "*\\\\n*\\\\n"),
        ("hunter2\nab", "hunter2%0Aab hunter2&#10;ab", "*%0A* *&#10;*"),
        ("hunter2\nab", "+hunter2\n-ab\n# hunter2\n    ab", "+*\n-*\n# *\n    *"),
        ("hunter2\vab\u2028cd", "hunter2 ab cd", "* * *"),
        # Of a text the lines that could be of anything are left.
        ("{\n" + "secret line 1\n" * 9 + "end\n}", "secret line 1 end }", "* end }"),
        # The words of a phrase are masked one by one, those of a text are not.
        ("correct horse a1 staple", '["correct", "horse", "a1", "staple"]', '["*", "*", "a1", "*"]'),
        ("correct horse a1 staple", "incorrect horses stapled", "incorrect horses stapled"),
        ("Aa1Bb2Cc3,Dd4Ee5Ff6", '["Aa1Bb2Cc3", "Dd4Ee5Ff6"]', '["*", "*"]'),
        ("admin:hunter2222", "hunter2222 admin", "* admin"),
        ("postgres://app:s3cret%20pw@db/x", "app s3cret%20pw 's3cret pw' db", "app * '*' db"),
        ("correct  horse\tbattery", "correct horse battery", "*"),
    ],
)  # fmt: skip
def test_lines_and_words_of_a_secret_are_masked(word: str, text: str, masked: str) -> None:
    expected = masked.replace("*", STARS)
    masker = Masker([word])
    assert masker.mask(text) == expected
    assert in_pieces(masker, text.encode(), range(len(text.encode()))).decode() == expected


def test_a_long_phrase_is_found_where_yaml_breaks_it() -> None:
    phrase = " ".join(f"word{number}" for number in range(40))
    masker = Masker([phrase])
    lines = [" ".join(phrase.split()[start : start + 11]) for start in range(0, 40, 11)]
    assert [masker.mask(line) for line in lines] == [STARS] * 4
    assert masker.mask("key: " + "\\n    ".join(lines)) == "key: " + "\\n    ".join([STARS] * 4)
    assert masker.mask("word1 word22 word39") == "word1 word22 word39"


@pytest.mark.parametrize(
    ("words", "text", "masked"),
    [
        (["secret", "secret-long"], "secret-long secret", "* *"),
        (["abcdef", "defghi"], "xabcdefghix abcdefdefghi", "x*x **"),
        (["aa1a1a1a"], "aa1a1a1aa1a1a1ab", "*b"),
        (["abcdefghij", "cdefgh"], "abcdefghij", "*"),
        (["a-b", "b-c"], "a-b-c", "*"),
        (["ab1d", "wxyz1", "mnopqr"], "1ab1d22ab1d333ab1d4444ab1d.wxyz1.mnopqr", "1*22*333*4444*.*.*"),
    ],
)
def test_overlapping_secrets_leave_nothing_of_either(words: list[str], text: str, masked: str) -> None:
    expected = masked.replace("*", STARS)
    masker = Masker(words)
    assert masker.mask(text) == expected
    assert in_pieces(masker, text.encode(), range(len(text))).decode() == expected


@given(WORDS, st.lists(TEXTS, max_size=6), st.data(), st.lists(st.integers(0, 1000), max_size=12))
@settings(max_examples=300)
def test_pieces_come_out_as_the_whole_does(
    words: list[str], between: list[str], data: st.DataObject, cuts: list[int]
) -> None:
    masker = Masker(words)
    known = sorted({"\n", *(spell(word) for word in words for spell in SPELLINGS.values())})
    text = "".join(part for some in between for part in (some, data.draw(st.sampled_from(known))))
    whole = masker.mask(text)

    assert in_pieces(masker, text.encode(), cuts) == whole.encode()
    assert in_pieces(masker, text.encode(), range(len(text.encode()))) == whole.encode()
    certain = [word.strip() for word in words if masking(word) is Masking.ANYWHERE]
    assert [word for word in certain if word in whole] == []


@given(st.lists(st.text(alphabet=st.characters(), max_size=9), max_size=4), st.text(alphabet=st.characters()))
def test_no_text_is_too_odd(words: list[str], text: str) -> None:
    """Half a surrogate pair among it, as ansible makes from bytes that are no UTF-8."""
    odd = "\udcff".join([text, *words])
    masker = Masker([*words, odd])
    assert isinstance(masker.mask(odd), str)
    assert masker.mask(json.dumps(odd)) is not None
    assert in_pieces(masker, odd.encode("utf-8", "surrogatepass"), range(len(odd))) is not None


def test_what_waits_is_short_however_long_the_line() -> None:
    masker = Masker(["aaaaaaaa", "a1bcdefgh", "cc"])
    running = Running(masker)
    assert running.feed(b"a" * 100_000) == STARS.encode()
    assert running.feed(b"a" * 100_000) == b""
    assert running.feed(b"1bcdefg") == b""
    # x may be of its base64.
    assert running.feed(b"x") == b"1bcdefg"
    assert running.feed(b".") == b"x."
    # "a1bcdefg" might have gone on; cc alone might have, too.
    assert running.feed(b" cc") == b" "
    assert running.feed(b"c, cc") == b"ccc, "
    assert running.feed(b"\n") == b"********\n"
    assert running.finish() == b""


@pytest.mark.parametrize("sign", ["\\", "'", '"', "%", "&", "\\u0041", "%41", "&amp;", "\0", "^"])
def test_no_sign_makes_it_keep_more_than_a_little(sign: str) -> None:
    running = Running(Masker(["k9Xw'Q7zt", "it's"]))
    out = b"".join(running.feed(sign.encode() * 1000) for _ in range(20))
    assert len(running._tail) < 2500
    assert out + running.finish() == sign.encode() * 20_000


def test_a_text_without_secrets_is_the_same_object() -> None:
    text = "nothing to see here"
    assert Masker(["secret-word"]).mask(text) is text
    assert Masker([]).mask(text) is text
