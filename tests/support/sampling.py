"""Which of the slow tests a run takes: all of them, or one of each file.

`tests/slow.toml` lists them. A sample is drawn anew for each commit, so that all of them have their turn, and it is the
same for everyone who runs that commit.
"""

import functools
import hashlib
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

LIST = Path(__file__).parent.parent / "slow.toml"
SLOW = 10
"""Seconds. What takes longer belongs into the list; a busy machine takes its time."""
LONGEST = 8
"""Seconds. What takes longer is drawn only where a file has nothing shorter."""


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
    """The slow tests that are not drawn: all but one of each file."""
    slow: dict[str, list[str]] = defaultdict(list)
    for node_id in node_ids:
        if function_of(node_id) in slow_tests():
            slow[node_id.partition("::")[0]].append(node_id)
    return {node_id for of_file in slow.values() for node_id in of_file if node_id != _drawn(of_file, seed)}


def function_of(node_id: str) -> str:
    """The id of a test without its parameters."""
    return node_id.partition("[")[0]


def _drawn(of_file: list[str], seed: str) -> str:
    """One of the slow tests of a file."""

    def order(node_id: str) -> tuple[int, str]:
        too_long = max(0, slow_tests()[function_of(node_id)] - LONGEST)
        return too_long, hashlib.sha256(f"{seed} {node_id}".encode()).hexdigest()

    return min(of_file, key=order)
