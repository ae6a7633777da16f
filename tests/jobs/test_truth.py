"""States tell the truth: what a playbook comes to, and a message that names the server, the task and the cause."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from models import FailureReason, JobStatus
from runner.job_dir import JobDir
from runner.outcome.findings import Findings, Recap, read_findings
from runner.outcome.judge import judge
from runner.outcome.wording import Trouble, plain
from tests.support.api import Api

AddRecipe = Callable[[str, str], None]
FAILED = "PLAYBOOK_FAILED"
UNANSWERED = "the playbook asked for input, which nobody can give here: it went on without an answer"


class Case(NamedTuple):
    """A playbook, and what its job comes to on a server that bears the name of the case."""

    playbook: str
    exit_code: int
    reason: str | None = None
    message: str | None = None
    description: str = ""


def play(*tasks: str, hosts: str = "all", head: str = "") -> str:
    """A play without facts; `head` is one more line of it."""
    lines = [
        f"- hosts: {hosts}",
        "  gather_facts: false",
        f"  {head}",
        "  tasks:",
        *(f"    - {task}" for task in tasks),
    ]
    return "\n".join(lines) + "\n"


CASES = {
    # What was in the text of a task or of its failure must not reach a terminal.
    "failed": Case(
        play('{name: "Install \\e[31mnginx", fail: {msg: "No package\\n\\tmatching \\u202enginx\\a\\e]0;title\\a"}}'),
        2, FAILED, 'failed on failed at "Install nginx": No package matching nginx',
    ),
    "command": Case(
        play("{name: Check, shell: 'echo no space >&2; exit 3'}"),
        2, FAILED, 'failed on command at "Check": non-zero return code: no space',
    ),
    "long": Case(
        play("{name: Talk, fail: {msg: \"{{ 'x' * 5000 }}\"}}"),
        2, FAILED, f'failed on long at "Talk": {"x" * 299}…',
    ),
    "hidden": Case(
        play("{name: Log in, fail: {msg: hunter2}, no_log: true}"),
        2, FAILED,
        'failed on hidden at "Log in": '
        "the output has been hidden due to the fact that 'no_log: true' was specified for this result",
    ),
    "undefined": Case(
        play("{name: Greet, debug: {msg: '{{ nobody }}'}}"),
        2, FAILED, "failed on undefined at \"Greet\": Error while resolving value for 'msg': 'nobody' is undefined",
    ),
    "items": Case(
        play("{name: Each, fail: {msg: 'not {{ item }}'}, loop: [1, 2]}"),
        2, FAILED, 'failed on items at "Each": One or more items failed: 1: not 1; 2: not 2',
    ),
    "rescue-fails": Case(
        play("{block: [{fail: {msg: a}}], rescue: [{name: Mend, fail: {msg: b}}]}"),
        2, FAILED, 'failed on rescue-fails at "Mend": b',
    ),
    "yaml": Case(
        "- hosts: all\n  tasks:\n    - name: x\n     ping: {}\n",
        4, FAILED,
        "ansible could not read the playbook: YAML parsing failed: "
        "While parsing a block collection did not find expected '-' indicator. (playbooks/yaml.yml:4)",
    ),
    "module": Case(
        play("{name: x, no_such_module: {}}"),
        4, FAILED,
        "ansible could not read the playbook: couldn't resolve module/action 'no_such_module'. "
        "This often indicates a misspelling, missing collection, or incorrect module path. (playbooks/module.yml:5)",
    ),
    "role": Case(
        "- hosts: all\n  roles: [nowhere]\n",
        1, FAILED,
        "ansible could not read the playbook: "
        "the role 'nowhere' was not found in playbooks/roles:roles:playbooks (playbooks/role.yml:2)",
    ),
    "midway": Case(
        play("{fail: {msg: never mind}, ignore_errors: true}") + play("ping: {}", hosts="'{{ nobody }}'"),
        4, FAILED,
        "ansible stopped in the middle of the playbook: "
        "Error processing keyword 'name': 'nobody' is undefined (playbooks/midway.yml:6)",
    ),
    "nobody": Case(
        play("ping: {}", hosts="web"),
        0, FAILED, "no play names nobody: does the playbook's `hosts:` name a tag that is missing?",
    ),
    "local": Case(
        play("ping: {}", hosts="localhost"),
        0, FAILED,
        "no play names local: the playbook ran on localhost alone; does its `hosts:` name the servers?",
    ),
    "local-fails": Case(
        play("ping: {}") + play("{name: Register, fail: {msg: away}}", hosts="localhost"),
        2, FAILED, 'failed on localhost at "Register": away',
    ),
    "ended-at-once": Case(play("meta: end_host", "ping: {}"), 0),
    "ended": Case(play("ping: {}", "meta: end_host", "fail: {}"), 0),
    "skipped": Case(play("{fail: {}, when: false}"), 0),
    "ignored": Case(play("{fail: {msg: a}, ignore_errors: true}"), 0),
    "rescued": Case(play("{block: [{fail: {msg: a}}], rescue: [{ping: {}}]}"), 0),
    "prompt": Case(
        play("assert: {that: release == 'stable'}", head="vars_prompt: [{name: release, default: stable}]"),
        0, None, UNANSWERED, "prompts: default\n",
    ),
    "prompt-fails": Case(
        play("{name: Fetch, assert: {that: release == '1'}}", head="vars_prompt: [{name: release, default: '2'}]"),
        2, FAILED, f"failed on prompt-fails at \"Fetch\": Assertion failed: release == '1'; {UNANSWERED}",
        "prompts: default\n",
    ),
    "pause": Case(play("pause: {prompt: Ready}"), 0, None, UNANSWERED, "prompts: default\n"),
    "pause-perhaps": Case(
        play("ping:", "{name: Sure, pause: {prompt: Sure}, when: 1 == 1}", "fail:"),
        2, FAILED,
        'failed on pause-perhaps at "Sure": it waits for a person, and nobody is there: give the pause a time, '
        "or let the recipe go on without an answer (`prompts: default`)",
    ),
    "pause-a-second": Case(play("{name: Sure, pause: {prompt: Sure, seconds: 1}}", "pause: seconds=1"), 0),
}  # fmt: skip


async def test_what_playbooks_come_to(api: Api, add_recipe: AddRecipe, ansible_dir: Path) -> None:
    servers = {}
    for name, case in CASES.items():
        add_recipe(name, case.playbook)
        (ansible_dir / "recipes" / f"{name}.yml").write_text(case.description)
        servers[name] = await api.create_server(name=name)
    jobs = [await api.run(name, server) for name, server in servers.items()]
    ended = await asyncio.gather(*(api.finished(job["id"]) for job in jobs))
    for case, job in zip(CASES.values(), ended, strict=True):
        status = "SUCCESS" if case.reason is None else "ERROR"
        # 2.21 begins this sentence with a capital and has a colon in it.
        said = job["message"] and job["message"].replace("The role", "the role").replace("found in:", "found in")
        assert (job["status"], job["exitCode"], job["failureReason"], said) == (status, *case[1:4])


async def test_many_servers_in_one_message(api: Api, add_recipe: AddRecipe) -> None:
    add_recipe(
        "some",
        play("{name: Odd, fail: {msg: is odd}, when: server_name | int % 2 == 1}", hosts="web")
        + play("{name: Own, fail: {msg: 'is {{ server_name }}'}}", hosts="web"),
    )
    servers = [await api.create_server(name=str(number), tags=["web"]) for number in range(1, 15)]
    servers.append(await api.create_server(name="db"))
    job = await api.finished((await api.run("some", *servers))["id"])
    assert (job["status"], job["failureReason"]) == ("ERROR", FAILED)
    assert job["message"] == (
        'failed on 1, 3, 5, 7, 9 and 2 more at "Odd": is odd; failed on 2 at "Own": is 2; failed on 4 at "Own": is 4; '
        "5 more for other reasons; no play names db"
    )


def test_plain_is_one_printable_line() -> None:
    assert plain(" a\r\n\tb\x00\x1b[1;31mc\x1b[0m\x9b\x1b]8;;http://x\x1b\\d\u2028e\ud800 \x1b") == "a b c d e"
    assert plain("x" * 301) == "x" * 299 + "…"
    assert plain("x" * 300) == "x" * 300
    assert plain("\x1b]" * 10_000_000) == ""


EVENTS = b"""
{"kind":"recap","hosts":{"srv-1":{"ok":1,"failed":"many"},"srv-2":7}}
{"kind":"recap","hosts":[]}
{"kind":"recap"}
["recap"]
{"kind":"host","host":["srv-1"],"status":"FAILED"}
{"kind":"host","host":"srv-1","status":"FAILED","task":null,"message":{}}
{"kind":"host","host":"srv-1","status":"FAILED","task":"Later","message":"said later"}
{"kind":"play","hosts":[1,"srv-2",{}]}
{"kind":"recap","hosts":{"srv-1":{"ok":1
"""


def test_files_that_are_not_what_they_should_be(tmp_path: Path) -> None:
    job_dir = JobDir(tmp_path, 1)
    job_dir.make()
    job_dir.claim.touch()
    job_dir.events.write_bytes(EVENTS + b'{"recap":' + b"[" * 100_000)
    job_dir.spec.write_text('{"env": []}')
    job_dir.run.write_text("[]")
    job_dir.hosts.write_text("srv-1 ansible_host=\nsrv-2 ansible_user=dep\x1b[1mloy\n")
    job_dir.known_hosts.write_text("srv-1 ssh-ed25519 no-base64\nsrv-2\n")
    job_dir.log.write_bytes(b"\xff\xfe[ERROR]: no\n[ERROR]: \x1b[31m\xff\x00\n" + b"y" * 200_000)
    found = read_findings(job_dir)
    assert found.told.recap == {"srv-1": {"ok": 1}, "srv-2": {}}
    assert found.told.failed == {"srv-1": Trouble("None", "")}
    assert (found.told.away, found.told.played) == ({}, {"srv-2"})
    assert (found.users, found.pinned) == ({"srv-2": "deploy"}, {"srv-1": None})
    assert (found.removed, found.rebooted, found.disk_full, found.log_cut) == (False, False, False, False)
    assert (found.error or "")[:5] == "\ufffd yyy"
    assert read_findings(JobDir(tmp_path, 2)) == Findings(removed=True)


def test_a_cut_log_is_told(tmp_path: Path) -> None:
    end = {"reason": "exited", "code": 0, "message": None}
    outcome = judge(end, {"srv-1": {"ok": 1}}, {"srv-1": "web"}, Findings(log_cut=True))
    assert (outcome.status, outcome.reason) == (JobStatus.SUCCESS, None)
    assert outcome.message == "the log was cut, since it reached PLAYCAST_LOG_CAP"
    outcome = judge({**end, "code": 250}, None, {"srv-1": "web"}, Findings(log_cut=True))
    assert (outcome.status, outcome.reason) == (JobStatus.ERROR, FailureReason.PLAYBOOK_FAILED)
    assert outcome.message == (
        "ansible could not run the playbook (exit code 250): the log says why; "
        "the log was cut, since it reached PLAYCAST_LOG_CAP"
    )


OK = {"srv-1": {"ok": 1}}
UNKNOWN = "it is not known how far it came"
THEN = "look at the servers, then run it again"


@pytest.mark.parametrize(
    ("code", "recap", "found", "told"),
    [
        (-15, OK, Findings(), f"ansible was killed by SIGTERM, not by Playcast, after the recap: {THEN}"),
        (-77, None, Findings(), f"ansible was killed by signal 77, not by Playcast: {UNKNOWN}; {THEN}"),
        (74, OK, Findings(), f"the log could not be written, after the recap: {THEN}"),
        (1, None, Findings(disk_full=True), f"the disk of the jobs directory is full: {UNKNOWN}; {THEN}"),
    ],
)  # fmt: skip
def test_our_own_troubles(code: int, recap: Recap | None, found: Findings, told: str) -> None:
    outcome = judge({"reason": "exited", "code": code, "message": None}, recap, {"srv-1": "web"}, found)
    assert (outcome.status, outcome.reason, outcome.message) == (JobStatus.ERROR, FailureReason.WORKER_LOST, told)
