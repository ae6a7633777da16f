"""The list of slow tests names tests that there are, and a sample is drawn by its rules."""

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
    listed = {"a.py::one": 5, "a.py::two": 5, "a.py::more": 6, "b.py::more": 12}
    monkeypatch.setattr(sampling, "slow_tests", lambda: listed)
    ids = ["a.py::quick[x]", "a.py::one[x]", "a.py::one[y]", "a.py::two", "a.py::more", "b.py::more", "c.py::quick"]
    drawn: Counter[str] = Counter()
    for seed in range(300):
        out = sampling.left_out(ids, str(seed))
        assert out == sampling.left_out(reversed(ids), str(seed))
        taken = [node_id for node_id in ids if node_id not in out]
        assert Counter(node_id.partition("::")[0] for node_id in taken) == {"a.py": 2, "b.py": 1, "c.py": 1}
        drawn.update(taken)
    assert drawn.keys() == set(ids) - {"a.py::more"}
    assert min(drawn.values()) > 50


def test_a_file_with_many_quick_ones_draws_every_other_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "slow_tests", lambda: {"a.py::slow": 5})
    ids = ["a.py::slow", *(f"a.py::quick[{number}]" for number in range(10))]
    assert 120 < sum(not sampling.left_out(ids, str(seed)) for seed in range(300)) < 180
    assert not any(sampling.left_out(ids[:-1], str(seed)) for seed in range(300))


def test_long_ones_share_their_time_and_one_is_always_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {
        "a.py::chaos": 100,
        "b.py::long": 16,
        "c.py::long": 20,
        "d.py::long": 40,
        "e.py::short": 5,
        "f.py::days": 121,
    }
    monkeypatch.setattr(sampling, "slow_tests", lambda: listed)
    runs = [listed.keys() - sampling.left_out(listed, str(seed)) for seed in range(300)]
    assert all("e.py::short" in run and len(run) > 1 for run in runs)
    assert {sum(listed[one] for one in run) - 5 for run in runs} == {36, 40, 100}
    assert Counter(one for run in runs for one in run).keys() == listed.keys() - {"f.py::days"}
