"""Blocks: whatever stands in a text is found, however alike the patterns are, and looked for once."""

import base64
import random
from unittest.mock import patch

import pytest

from runner.programs import block_search
from runner.programs.block_search import END, Blocks, Pieces, Span
from runner.programs.masking import Masker, Running

NEEDS = [7, 8, 11, 16, 24]


def by_hand(runs: dict[bytes, int], text: bytes) -> bytearray:
    """Which bytes of `text` stand in a piece of a run that is long enough: each place against each."""
    covered = bytearray(len(text))
    for run, need in runs.items():
        for away in range(1 - len(run), len(text)):
            same = bytes(
                text[place] == run[place - away] for place in range(max(0, away), min(len(text), away + len(run)))
            )
            begin = max(0, away)
            for piece in same.split(b"\0"):
                end = begin + len(piece)
                bare = text[begin:end].strip(b" ")
                if len(bare) >= need:
                    start = begin + text[begin:end].index(bare)
                    covered[start : start + len(bare)] = b"\1" * len(bare)
                begin = end + 1
    return covered


def found(spans: list[Span], size: int) -> bytearray:
    covered = bytearray(size)
    for start, end in spans:
        covered[start:end] = b"\1" * (end - start)
    return covered


@pytest.mark.parametrize("few", [0, 1, 8, 10_000])
@pytest.mark.parametrize("letters", [b"ab ", b"abc", b"ab", b"abcd  "])
def test_what_is_found_is_what_is_there(letters: bytes, few: int) -> None:
    dice = random.Random(few)  # noqa: S311 (the same each time)

    def words(count: int) -> bytes:
        return b"".join(dice.choice(known) + b" " * (dice.random() < 0.3) for _ in range(count))

    with patch.object(block_search, "_FEW_PLACES", few):
        for _ in range(25):
            known = [bytes(dice.choices(letters, k=dice.randint(3, 12))).strip() or b"a" for _ in range(4)]
            runs = {words(dice.randint(5, 40)).strip(): dice.choice(NEEDS) for _ in range(3)}
            runs = {run: need for run, need in runs.items() if len(run) >= need}
            text = b"".join(words(1) if dice.random() < 0.8 else bytes(dice.choices(b"xyz\n ", k=3)) for _ in range(40))
            assert found(Blocks((), runs).spans(text), len(text)) == by_hand(runs, text), (runs, text)


FILES = {
    "pg_hba": "\n".join(f"host    all   all   10.0.{n // 250}.{n % 250}/32   scram-sha-256" for n in range(400)),
    "users": "\n".join(f"  - name: user{n:04d}\n    password: {n * 7919:08d}\n    groups: [admin]" for n in range(200)),
    "table": "id,name,secret\n" * 1000,
    "environment": "\n".join(f"SERVICE_{n}_PASSWORD=changeme-{n}" for n in range(400)),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("way", ["base64", "hex", "another"])
def test_lines_that_are_alike_are_followed_once(name: str, way: str) -> None:
    """What it costs grows with the text, and not with the text times the secret."""
    content = FILES[name].encode()
    printed = {
        "base64": base64.b64encode(content),
        "hex": content.hex().encode(),
        "another": base64.b64encode(content.replace(b"1", b"7")),
    }[way]
    masker = Masker([FILES[name]])
    with (
        patch.object(Blocks, "_run_at", autospec=True, side_effect=Blocks._run_at) as runs,
        patch.object(Pieces, "_end", autospec=True, side_effect=Pieces._end) as pieces,
    ):
        spans = masker.spans(printed)
    assert runs.call_count + pieces.call_count < len(printed)
    if way != "another":
        assert sum(found(spans, len(printed))) >= len(printed) - 4


def test_no_piece_goes_over_the_end_of_a_run() -> None:
    runs = {b"abcdefgh" * 20 + b"one": 16, b"abcdefgh" * 20 + b"two": 16}
    text = b"abcdefghone" + END + b"abcdefghabcdefg"
    with patch.object(block_search, "_FEW_PLACES", 0):
        assert Blocks((), runs).spans(text) == []


BLANKS = "grant select on tables to app    identified by horse battery staple nine ten eleven twelve"


@pytest.mark.parametrize("text", ["    ", "x       ", "TASK [x]        \n", "ab\n    ", " " * 11])
def test_blanks_at_the_end_are_of_no_piece(text: str) -> None:
    """Four in a row stand in the secret, at a place by which pieces are found."""
    assert Masker([BLANKS]).mask(text) == text
    assert Running(Masker([BLANKS])).feed(text.encode() + b"\n") == text.encode() + b"\n"


@pytest.mark.timeout(60)
def test_a_line_of_blanks_is_followed_once() -> None:
    """Followed to its end from each place, 40,000 blanks took 31 seconds, and so many would take half an hour."""
    text = " " * 300_000 + "end"
    assert Masker([BLANKS]).mask(text) == text
