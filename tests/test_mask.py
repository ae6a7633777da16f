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

from runner.mask import STARS, Masker, Running, forms

NASTY = "it's \"é\\ <1>$+/x"
KEY = """-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEA\r
  QyNTUxOQAAACDm+/x/
short
-----END OPENSSH PRIVATE KEY-----
"""
# Few letters, so that secrets overlap and repeat; the signs that the forms change; no star, which is the mask's own.
TEXTS = st.text(alphabet="ab1\"'\\ é=-", max_size=12)
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
    ],
)  # fmt: skip
def test_every_form_is_known(form: str) -> None:
    assert form in forms(NASTY)
    assert Masker([NASTY]).mask(f"<{form}>") == f"<{STARS}>"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "u", "u:", "us:", "use:", "user:"])
@pytest.mark.parametrize("after", ["", "\n", "@x", "@x."])
def test_base64_of_a_longer_text_shows_no_character_of_it(
    encode: Callable[[bytes], bytes], before: str, after: str
) -> None:
    text = encode(f"{before}{NASTY}{after}".encode()).decode()
    first, last = math.ceil(len(before) * 8 / 6), len((before + NASTY).encode()) * 8 // 6
    # As the word alone would end, its last bits and the padding go as well.
    rest = "" if len(before) % 3 == 0 and not after else text[last:]
    assert Masker([NASTY]).mask(text) == text[:first] + STARS + rest


def test_a_key_is_masked_line_by_line_and_on_one_line() -> None:
    masker = Masker([KEY])
    assert masker.mask(KEY) == (
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{STARS}\r\n  {STARS}\nshort\n-----END OPENSSH PRIVATE KEY-----\n"
    )
    assert masker.mask(json.dumps({"key": KEY})) == f'{{"key": "{STARS}"}}'
    assert masker.mask(base64.b64encode(KEY.encode()).decode()) == STARS
    assert masker.mask("short -----BEGIN OPENSSH PRIVATE KEY-----") == "short -----BEGIN OPENSSH PRIVATE KEY-----"
    assert not any("\n" in form for form in forms(KEY))


@pytest.mark.parametrize(
    ("word", "text", "masked"),
    [
        ("a", "a cat has a=a, (a) ba ab a1 éa", "* cat has *=*, (*) ba ab a1 éa"),
        ("a-b", "a-b a-ba ba-b a-b-b", "* a-ba ba-b *-b"),
        ("8080", "8080 18080 80801 port=8080, 8080a", "* 18080 80801 port=*, 8080a"),
        ("-1.5", "-1.5 -1.55", "* -1.55"),
        ("123456", "01234567", "0*7"),
        ("wxyz", "awxyzb", "a*b"),
        ("12345", "b64: MTIzNDU=", "b64: *"),
        ("", "nothing", "nothing"),
        ("!", "hello!", "hello!"),
        ("    ", "a    b", "a    b"),
        ("--------", "a--------b", "a*b"),
    ],
)
def test_short_words_are_masked_where_they_stand_alone(word: str, text: str, masked: str) -> None:
    assert Masker([word]).mask(text) == masked.replace("*", STARS)


@pytest.mark.parametrize(
    ("words", "text", "masked"),
    [
        (["secret", "secret-long"], "secret-long secret", "* *"),
        (["abcdef", "defghi"], "xabcdefghix abcdefdefghi", "x*x **"),
        (["aaaa"], "aaaaaaaaab", "*b"),
        (["abcdefghij", "cdef"], "abcdefghij", "*"),
        (["a-b", "b-c"], "a-b-c", "*"),
        (["abcd", "wxyz1", "mnopqr"], "1abcd22abcd333abcd4444abcd.wxyz1.mnopqr", "1*22*333*4444*.*.*"),
    ],
)
def test_overlapping_secrets_leave_nothing_of_either(words: list[str], text: str, masked: str) -> None:
    expected = masked.replace("*", STARS)
    masker = Masker(words)
    assert masker.mask(text) == expected
    assert in_pieces(masker, text.encode(), range(len(text))).decode() == expected


@given(WORDS, st.lists(TEXTS, max_size=6), st.data(), st.lists(st.integers(0, 1000), max_size=12))
@settings(max_examples=400)
def test_pieces_come_out_as_the_whole_does(
    words: list[str], between: list[str], data: st.DataObject, cuts: list[int]
) -> None:
    masker = Masker(words)
    known = sorted({"\n", *(form for word in words for form in forms(word))})
    text = "".join(part for some in between for part in (some, data.draw(st.sampled_from(known))))
    whole = masker.mask(text)

    assert in_pieces(masker, text.encode(), cuts) == whole.encode()
    assert in_pieces(masker, text.encode(), range(len(text.encode()))) == whole.encode()
    assert not any(word in whole for word in words if len(word) >= 6 and "\n" not in word)


@given(st.text(max_size=20).filter(lambda word: not word.isspace() and (len(word) > 3 or any(map(str.isalnum, word)))))
def test_any_word_is_masked_in_any_form(word: str) -> None:
    masker = Masker([word])
    for form in forms(word):
        assert masker.mask(f"\n{form}\n") == f"\n{STARS}\n"


@given(st.lists(st.text(alphabet=st.characters(), max_size=9), max_size=4), st.text(alphabet=st.characters()))
def test_no_text_is_too_odd(words: list[str], text: str) -> None:
    """Half a surrogate pair among it, as ansible makes from bytes that are no UTF-8."""
    odd = "\udcff".join([text, *words])
    masker = Masker([*words, odd])
    assert isinstance(masker.mask(odd), str)
    assert masker.mask(json.dumps(odd)) is not None


def test_what_waits_is_short_however_long_the_line() -> None:
    masker = Masker(["aaaa", "abcdefgh", "c"])
    running = Running(masker)
    assert running.feed(b"a" * 100_000) == STARS.encode()
    assert running.feed(b"a" * 100_000) == b""
    assert running.feed(b"bcdefg") == b""
    assert running.feed(b"x") == b"bcdefgx"
    # "abcdefg" might have gone on; a lone c might have, too.
    assert running.feed(b" c") == b" "
    assert running.feed(b"c c") == b"cc "
    assert running.feed(b"\n") == b"********\n"
    assert running.finish() == b""


def test_a_text_without_secrets_is_the_same_object() -> None:
    text = "nothing to see here"
    assert Masker(["secret-word"]).mask(text) is text
    assert Masker([]).mask(text) is text
