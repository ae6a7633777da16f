"""Whatever a language makes of a secret, no letter of it is left in what is printed; an everyday log stays readable."""

import base64
import json
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.programs.masking import STARS, Masker
from runner.programs.spellings import SHORT_PIECE, Masking, masking
from tests.secrets.test_mask import in_pieces
from tests.support.spelt import EDGES, SIGNS, SPELLINGS, clear, left

SECRETS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from("aB7é"),
    st.text(alphabet=SIGNS, min_size=3, max_size=24),
    st.text(alphabet="abcXYZ0189", min_size=4, max_size=4),
    st.sampled_from(EDGES),
)


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(secret=SECRETS)
def test_no_spelling_shows_a_letter(spelling: str, secret: str) -> None:
    if masking(secret) is Masking.ANYWHERE:
        assert clear(secret, SPELLINGS[spelling](secret)) == []


@given(secret=SECRETS, spelling=st.sampled_from(sorted(SPELLINGS)), cuts=st.lists(st.integers(0, 999), max_size=9))
def test_nor_does_it_in_pieces(secret: str, spelling: str, cuts: list[int]) -> None:
    if masking(secret) is Masking.ANYWHERE:
        masker = Masker([secret])
        written = json.dumps(f"«{SPELLINGS[spelling](secret)}»").encode()
        assert left(in_pieces(masker, written, cuts).decode().replace("u00ab", "").replace("u00bb", "")) == ""
        one_by_one = in_pieces(masker, written, range(len(written))).decode()
        assert left(one_by_one.replace("u00ab", "").replace("u00bb", "")) == ""


@pytest.mark.parametrize("secret", ['a"\\\t0000a', "é'\"\\\t0000a"])
def test_signs_in_a_row_are_quoted_deep(secret: str) -> None:
    assert clear(secret, SPELLINGS["json three times"](secret)) == []


@pytest.mark.parametrize("first", SPELLINGS)
def test_nor_does_one_spelling_of_another(first: str) -> None:
    """But for digits of base64 and others, which are looked for as they are of the secret itself."""
    secret = "k9X&w <Q7>\"z't$LmP%é/+"
    masker = Masker([secret])
    in_digits = ("base64", "hex", "all")
    # Digits of an escape in capitals are escapes still, but \\X and &AMP; are none.
    in_letters = ("upper", "lower", "title", "capitalize")
    # These put signs into an escape, as no tool does that reads it.
    parted = ("regex", "shell within double quotes", "PowerShell") if first.startswith(("html", "dollars")) else ()
    for second in SPELLINGS:
        if first.startswith((*in_digits, *in_letters)) or second.startswith(in_letters) or second in parted:
            continue
        if not second.startswith(in_digits) or first == "plain":
            masked = masker.mask(SPELLINGS[second](SPELLINGS[first](secret)))
            assert STARS in masked, second
            assert [piece for piece in ("k9X", "Q7", "LmP", "z", "t24") if piece in masked] == [], (second, masked)


EVERYDAY = """
PLAY [Set up web servers] ******************************************************
TASK [Gathering Facts] *********************************************************
ok: [srv-1]
TASK [Install the latest packages as root] *************************************
changed: [srv-1] => {"changed": true, "cmd": "apt-get -y install nginx", "rc": 0, "start": "2024-05-01 10:00:01"}
TASK [Test a config] ***********************************************************
fatal: [srv-1]: FAILED! => {"changed": false, "msg": "yes, line 1 of /etc/nginx/nginx.conf is wrong: unknown on"}
PLAY RECAP *********************************************************************
srv-1 : ok=2 changed=1 unreachable=0 failed=1 skipped=0 rescued=0 ignored=0
"""


@pytest.mark.parametrize(
    "word", ["a", "1", "0", "/", "-", ".", "true", "yes", "on", "false", "ok", "changed", "failed", "none"]
)
def test_a_log_is_not_taken_apart_by_a_word_that_is_everywhere(word: str) -> None:
    assert masking(word) is Masking.NOWHERE
    assert Masker([word, word.upper()]).mask(EVERYDAY) == EVERYDAY


@pytest.mark.parametrize(
    ("word", "times"), [("test", 1), ("root", 1), ("2024", 1), ("nginx", 3), ("late", 0), ("in", 0)]
)
def test_a_common_word_is_masked_where_it_stands_alone(word: str, times: int) -> None:
    masked = Masker([word]).mask(EVERYDAY)
    assert masked.count(STARS + STARS) == EVERYDAY.count("*" * 16)
    assert len(masked) == len(EVERYDAY) + times * (len(STARS) - len(word))
    assert masked.lower().count(word) == EVERYDAY.lower().count(word) - times


LONG = "".join(chr(33 + number * 37 % 90) for number in range(300))
PHRASE = "the quick red fox jumps over one lazy dog near our old mill by the sea"


def in_lines(digits: str, width: int) -> str:
    return "\n".join(digits[start : start + width] for start in range(0, len(digits), width))


def spaced(between: str, count: int) -> str:
    raw = LONG.encode()
    return "\n".join(raw[start : start + count].hex(between) for start in range(0, len(raw), count))


@pytest.mark.parametrize(
    "written",
    [
        in_lines(LONG.encode().hex(), 60), in_lines(LONG.encode().hex().upper(), 60), LONG.encode().hex().upper(),
        spaced(" ", 16), spaced(":", 15), spaced(":", 15).upper(), spaced("-", 300).upper(),
        in_lines(base64.b64encode(LONG.encode()).decode(), 48),
    ],
    ids=["xxd", "xxd -u", "upper", "od", "colons", "openssl", "dashes", "base64 -w 48"],
)  # fmt: skip
def test_the_lines_into_which_tools_break_a_long_secret(written: str) -> None:
    for line in Masker([LONG]).mask(written).splitlines():
        assert len(line.replace(STARS, "")) < SHORT_PIECE


@pytest.mark.parametrize("between", [":", " ", "-"])
def test_upper_digits_of_a_short_one(between: str) -> None:
    secret = "RGxbgKm29xQzLpT0vWsYcE4hJu7nDfB1aQoZiX5M"
    assert Masker([secret]).mask(secret.encode().hex(between).upper()) == STARS


@pytest.mark.parametrize("width", [24, 30, 40, 80])
def test_a_phrase_that_yaml_folds(width: int) -> None:
    written = yaml.dump({"a": {"b": PHRASE}}, width=width)
    assert set(re.findall(r"\w+", Masker([PHRASE]).mask(written))) == {"a", "b"}


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("https://user:Zt7xQ0pWm2@host/path", "Zt7xQ0pWm2"),
        ("https://user@corp:Zt7xQ0pWm2@host/path", "Zt7xQ0pWm2"),
        ("postgres://user:Zt7:xQ0@pWm2@host/db?x=@", "Zt7:xQ0@pWm2"),
    ],
)
def test_the_password_in_a_url(url: str, password: str) -> None:
    assert Masker([url]).mask(f"<{password}>") == f"<{STARS}>"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "secret",
    ["http://" + "a:" * 30_000, "a" + "!" * 60_000 + "b c", "http://" * 9_000, "word " * 12_000],
    ids=["colons", "signs", "schemes", "words"],
)
def test_no_secret_takes_long_to_be_made_ready(secret: str) -> None:
    """The first took 64 seconds."""
    assert Masker([secret]).mask("text") == "text"
