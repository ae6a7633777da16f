"""Which of the slow tests a run takes: all of them, or a sample, which holds at most one of each file.

`tests/slow.toml` lists them. A sample is drawn anew for each commit, and is the same for everyone who runs that commit.
"""

import functools
import hashlib
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

LIST = Path(__file__).parent.parent / "slow.toml"
SLOW = 10
"""Seconds. What takes longer belongs into the list; a busy machine takes its time."""
PREFERRED = 5
"""Seconds. What takes longer is drawn only where a file has nothing shorter."""
LONG = 15
"""Seconds. Files that have only what takes longer share what follows."""
FOR_THE_LONG = 40
"""Seconds of each run for such files, but one of them is always drawn."""
MANY_QUICK = 10
"""So many quick tests say most of what a file has to say: of such a file one is drawn every other time."""
TOO_LONG = 120
"""Seconds. What takes longer is never drawn."""

MARKED_BY = {"alone": ("mark.alone",), "postgres": ("postgres", "database")}
"""What stands in each file that holds a test with that mark."""


@functools.cache
def may_hold(file: Path, mark: str) -> bool:
    """Whether there may be a test with that mark."""
    text = file.read_text()
    return any(word in text for word in MARKED_BY[mark])


@functools.cache
def slow_tests() -> dict[str, int]:
    """What each slow test takes, in seconds, by the id of its function."""
    reasons = tomllib.loads(LIST.read_text())
    return {
        f"tests/{file}::{name}": seconds
        for files in reasons.values()
        for file, tests in files.items()
        for name, seconds in tests.items()
    }


def left_out(node_ids: Iterable[str], seed: str) -> set[str]:
    """The slow tests that are not drawn: all but one of most files."""
    slow: dict[str, list[str]] = defaultdict(list)
    quick: Counter[str] = Counter()
    for node_id in node_ids:
        file = node_id.partition("::")[0]
        if function_of(node_id) in slow_tests():
            slow[file].append(node_id)
        else:
            quick[file] += 1
    drawn = sorted(
        (min(of_file, key=lambda one: _order(one, seed)) for of_file in slow.values()), key=lambda one: _lot(one, seed)
    )
    left = FOR_THE_LONG
    taken: set[str] = set()
    for node_id in drawn:
        file = node_id.partition("::")[0]
        if quick[file] >= MANY_QUICK and _lot(file, seed) < "8":
            continue
        seconds = _seconds(node_id)
        if seconds <= LONG or (seconds <= TOO_LONG and left == FOR_THE_LONG) or seconds <= left:
            taken.add(node_id)
            left -= seconds if seconds > LONG else 0
    return {node_id for of_file in slow.values() for node_id in of_file} - taken


def function_of(node_id: str) -> str:
    """The id of a test without its parameters."""
    return node_id.partition("[")[0]


def _seconds(node_id: str) -> int:
    return slow_tests()[function_of(node_id)]


def _order(node_id: str, seed: str) -> tuple[int, str]:
    return max(0, _seconds(node_id) - PREFERRED), _lot(node_id, seed)


def _lot(node_id: str, seed: str) -> str:
    return hashlib.sha256(f"{seed} {node_id}".encode()).hexdigest()
