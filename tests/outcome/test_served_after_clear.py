"""Who was served after `meta: clear_host_errors`: a failed host stays out, and an unreachable one goes on."""

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.outcome.test_served import play
from tests.support.events import Bench

FAIL = "{name: Break, fail: {msg: boom}, when: inventory_hostname == 'a'}"
AWAY = (
    "{name: Reach, ping: , when: inventory_hostname == 'a', "
    "vars: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}}"
)
CLEAR = "{meta: clear_host_errors}"
LAST = "{name: Last, debug: {msg: x}}"
SHOUT = "{name: Shout, command: 'true', notify: Clear}"


class Case(NamedTuple):
    """A playbook on the hosts a, b and c; why it left hosts unserved, and where ansible ran its last task."""

    playbook: str
    unserved: dict[str, str]
    last: str


GONE = {"a": "FAILED"}
AWAY_ONCE = {"a": "UNREACHABLE"}
FLUSH = "{meta: flush_handlers}"
HANDLER = "[{name: Clear, meta: clear_host_errors}]"
CASES = {
    "failed": Case(play(FAIL, CLEAR, LAST), GONE, "bc"),
    "unreachable": Case(play(AWAY, CLEAR, LAST), {}, "abc"),
    "unreachable, then failed": Case(play(AWAY, CLEAR, FAIL, LAST), GONE, "bc"),
    "unreachable again": Case(play(AWAY, CLEAR, AWAY, LAST), AWAY_ONCE, "bc"),
    "free": Case(play(FAIL, "{command: sleep 0.3}", CLEAR, LAST, strategy="free"), GONE, "bc"),
    "serial": Case(play(FAIL, CLEAR, LAST, serial="2"), GONE, "bc"),
    "at the end of the first play": Case(play(FAIL, CLEAR) + play(LAST), GONE, "abc"),
    "in the second play": Case(play(FAIL) + play(CLEAR, LAST), GONE, "bc"),
    "unreachable in the first play": Case(play(AWAY, CLEAR) + play(LAST), {}, "abc"),
    "unreachable, cleared in the second": Case(play(AWAY) + play(CLEAR, LAST), AWAY_ONCE, "abc"),
    "in a handler": Case(play(SHOUT, FAIL, FLUSH, LAST, handlers=HANDLER), GONE, "bc"),
    "unreachable, in a handler": Case(play(SHOUT, AWAY, FLUSH, LAST, handlers=HANDLER), {}, "abc"),
    "a handler in spite of it": Case(play(SHOUT, FAIL, LAST, handlers=HANDLER, force_handlers="true"), GONE, "bc"),
    "others, in a handler in spite of it": Case(
        play(SHOUT, FAIL, LAST, handlers=HANDLER, force_handlers="true", any_errors_fatal="true"),
        {"a": "FAILED", "b": "ABORTED", "c": "ABORTED"},
        "",
    ),
    "handlers in spite of it": Case(play(FAIL, CLEAR, LAST, force_handlers="true"), GONE, "bc"),
    "in a block": Case(play(f"{{block: [{FAIL}, {CLEAR}]}}", LAST), GONE, "bc"),
    "in a block in a block": Case(play(f"{{block: [{{block: [{FAIL}, {CLEAR}, {{ping: }}]}}, {LAST}]}}"), GONE, "abc"),
    "rescued": Case(play(f"{{block: [{FAIL}], rescue: [{CLEAR}]}}", LAST), {}, "abc"),
    "rescued by others": Case(play(f"{{block: [{FAIL}, {CLEAR}], rescue: [{{ping: }}]}}", LAST), {}, "abc"),
    "the rescue fails": Case(play(f"{{block: [{FAIL}], rescue: [{FAIL}]}}", CLEAR, LAST), GONE, "bc"),
    "always": Case(play(f"{{block: [{FAIL}], always: [{CLEAR}]}}", LAST), {}, "abc"),
    "after always": Case(play(f"{{block: [{FAIL}], always: [{{ping: }}]}}", CLEAR, LAST), {}, "abc"),
    "always, and nothing cleared": Case(play(f"{{block: [{FAIL}], always: [{{ping: }}]}}", LAST), GONE, "bc"),
    "it ended itself": Case(play("{meta: end_host, when: inventory_hostname == 'a'}", FAIL, CLEAR, LAST), {}, "bc"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_host_is_done_when_its_plays_ended_for_it(tmp_path: Path, case: Case) -> None:
    bench = Bench(tmp_path)
    bench.hosts = ["a", "b", "c"]
    done = bench.run(case.playbook)
    (recap,) = done.of("recap")
    assert (recap["unserved"], "".join(sorted(done.hosts("Last")))) == (case.unserved, case.last), done.log.decode()
