"""Reading a line of `events.jsonl`: the plugin's own as they are, and whatever else may stand there as nothing."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import JobEvent
from runner.events.event_line import MAX_DEPTH, read_event
from tests.support.told import line, without

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["kind", "at", "log_start", "log_offset", "progress", "play", "hosts", "task_id", "task", "action", "path"]
NAMES += ["host", "status", "duration", "message", "result", "truncated"]
KINDS = ["start", "play", "task", "host", "recap"]


def details(text: bytes) -> dict[str, Any]:
    found = read_event(text)
    assert found is not None
    return found.details


def test_a_result_is_read_whole() -> None:
    found = read_event(line("host", log_start=953, log_offset=1117, progress=0.25))
    assert found is not None
    assert (found.kind, found.details["host"], found.progress) == ("host", "srv-1", 0.25)
    assert (found.log_start, found.log_offset, found.stored) == (953, 1117, True)
    assert found.at == datetime(2026, 11, 23, 16, 19, 49, 533000, UTC)
    assert found.details == {
        "host": "srv-1",
        "task_id": "t1",
        "task": "Say",
        "status": "OK",
        "delegate": None,
        "duration": 0.5,
        "message": "hello",
        "result": {"msg": "hello"},
        "truncated": False,
    }
    row = found.row(7, 12)
    assert (row.kind, row.log_line, row.details) == ("host", 12, found.details)


def test_the_other_kinds_are_read_whole() -> None:
    assert details(line("start")) == {}
    assert details(line("play")) == {"play": "First play", "hosts": ["srv-1", "srv-2"]}
    task = {"play": "First play", "task_id": "t1", "task": "Say", "action": "debug", "path": "playbooks/base.yml:6"}
    assert details(line("task")) == task
    assert details(without("task", "path")) == {**task, "path": None}
    recap = details(line("recap"))["hosts"]
    assert [(host, recap[host]["ok"], recap[host]["failed"]) for host in recap] == [("srv-1", 1, 0), ("srv-2", 0, 1)]


BAD = {
    "nothing": b"",
    "blank": b" \n",
    "not closed": b'{"kind": "task"',
    "null": b"null\n",
    "a list": b"[]\n",
    "a text": b'"kind"\n',
    "a number": b"1\n",
    "no UTF-8": b"\xff\xfe\n",
    "too deep to read": b"[" * 100_000 + b"\n",
    "a number too long": b'{"kind": ' + b"9" * 5000 + b"}\n",
    "two events": line("task").strip() + line("task"),
    "no kind": without("task", "kind"),
    "a kind of nobody": line("task", kind="other"),
    "a state, which only we write": line("task", kind="status", status="SUCCESS", reason=None),
    "a kind that cannot be looked up": line("task", kind=["task"]),
    "no time": without("task", "at"),
    "a time that is a number": line("task", at=1),
    "a time that is none": line("task", at="yesterday"),
    "a time before all others": line("task", at="0001-01-01T00:00:00+14:00"),
    "no place in the log": without("task", "log_offset"),
    "a negative place": line("task", log_offset=-1),
    "half a place": line("task", log_offset=0.5),
    "a place that is a boolean": line("task", log_offset=True),
    "a place far away": line("task", log_offset=2**63),
    "a start that is a text": line("task", log_start="1"),
    "progress in words": line("task", progress="half"),
    "progress that is a boolean": line("task", progress=True),
    "progress without end": line("task").replace(b'"progress": null', b'"progress": 1e999'),
    "a name that is a number": line("task", task=1),
    "a name that is missing": without("task", "task"),
    "a path that is a list": line("task", path=["x"]),
    "hosts of a play in one text": line("play", hosts="srv-1"),
    "hosts of a play as an object": line("play", hosts={"srv-1": 1}),
    "hosts of a play without names": line("play", hosts=[1]),
    "no host": without("host", "host"),
    "a status of nobody": line("host", status="DONE"),
    "a status that is a list": line("host", status=["OK"]),
    "a duration in words": line("host", duration="1.5"),
    "a duration that is no number": line("host", duration="nan"),
    "a message that is a list": line("host", message=["x"]),
    "NaN in a result": line("host", result={"value": float("nan")}),
    "infinity in a result": line("host", result=[float("-inf")]),
    "a number without end in a result": line("host", result=7).replace(b'"result": 7', b'"result": -1e999'),
    "a recap of a list": line("recap", hosts=["srv-1"]),
    "a recap without counters": line("recap", hosts={"srv-1": None}),
    "a counter below zero": line("recap", hosts={"srv-1": {"ok": -1}}),
    "a counter that is a text": line("recap", hosts={"srv-1": {"ok": "1"}}),
    "a counter that leaves no room": line("recap", hosts={"srv-1": {"ok": 2**31 - 1}}),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_is_no_event_is_nothing(text: bytes) -> None:
    assert read_event(text) is None


def test_texts_are_such_that_every_database_takes_them() -> None:
    strange = "a\0b\ud800c"
    assert details(line("task", task=strange))["task"] == "a\ufffdb?c"
    assert details(line("play", hosts=[strange, "x" * 300]))["hosts"] == ["a\ufffdb?c", "x" * 253]
    assert list(details(line("recap", hosts={strange: {}}))["hosts"]) == ["a\ufffdb?c"]
    assert details(line("host", message="é" * 5000))["message"] == "é" * 4000
    assert details(line("task", task="é" * 1001))["task"] == "é" * 1000


def test_numbers_are_brought_into_their_range() -> None:
    shown = [read_event(line("task", progress=progress)) for progress in (-1, 0, 0.5, 1, 2)]
    assert [event.progress for event in shown if event is not None] == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert [details(line("host", duration=seconds))["duration"] for seconds in (-1, 2, None)] == [0.0, 2.0, None]


def test_a_result_that_is_nested_too_deep_is_left_out() -> None:
    def nested(depth: int) -> bytes:
        return line("host", result=0).replace(b'"result": 0', b'"result": ' + b"[" * depth + b"1" + b"]" * depth)

    deepest = details(nested(MAX_DEPTH - 1))
    assert (json.dumps(deepest["result"]).count("["), deepest["truncated"]) == (MAX_DEPTH - 1, False)
    for depth in (MAX_DEPTH, 900):
        assert (details(nested(depth))["result"], details(nested(depth))["truncated"]) == (None, True)


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(NAMES), JSON | st.sampled_from(KINDS), max_size=3))
def test_nothing_breaks_the_reader_or_what_follows(kind: str, changes: dict[str, Any]) -> None:
    event = read_event(line(kind, **changes))
    if event is None:
        return
    row: JobEvent = event.row(1, None)
    assert row.details == event.details
    json.dumps(row.details, allow_nan=False)
    assert len(row.kind) <= 16
    row.payload.encode()
    assert event.at.tzinfo is UTC
    assert event.progress is None or 0 <= event.progress <= 1
