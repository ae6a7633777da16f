"""The list of slow tests names tests that there are, and a sample leaves none out for ever."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.support import sampling

TESTS = Path(__file__).parent.parent


def test_each_that_is_listed_is_there() -> None:
    listed = sampling.slow_tests()
    assert len(listed) > 100
    for file in {node_id.partition("::")[0] for node_id in listed}:
        tree = ast.parse((TESTS.parent / file).read_text())
        there = {one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert {node_id.partition("::")[2] for node_id in listed if node_id.startswith(f"{file}::")} <= there, file


def test_one_of_each_file_is_drawn_and_each_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sampling, "slow_tests", lambda: {"a.py::one": 5, "a.py::two": 8, "a.py::long": 9, "b.py::long": 60}
    )
    slow = ["a.py::one[x]", "a.py::one[y]", "a.py::two", "a.py::long", "b.py::long"]
    ids = ["a.py::quick[x]", *slow, "c.py::quick"]
    drawn: Counter[str] = Counter()
    for seed in range(300):
        out = sampling.left_out(ids, str(seed))
        assert out == sampling.left_out(reversed(ids), str(seed))
        taken = [node_id for node_id in ids if node_id not in out]
        assert Counter(node_id.partition("::")[0] for node_id in taken) == {"a.py": 2, "b.py": 1, "c.py": 1}
        drawn.update(taken)
    assert drawn.keys() == set(ids) - {"a.py::long"}
    assert min(drawn.values()) > 50
