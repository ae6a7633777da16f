"""What a result says to people: results as ansible and ssh really give them, and the cause wherever it is in them."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from runner.outcome.findings import EventSummary
from runner.outcome.wording import failed
from runner.programs.ansible_hooks import PLUGINS


def _plugin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("playcast_results", PLUGINS / "callback/playcast_results.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


results = _plugin().CallbackModule
NO_JSON = "Module result deserialization failed: No start of json char found"
CLOSED = "Shared connection to 10.0.0.5 closed.\r\n"
NEW = "Warning: Permanently added '[10.0.0.5]:2222' (ED25519) to the list of known hosts.\r\n"
POST_QUANTUM = (
    "** WARNING: connection is not using a post-quantum key exchange algorithm.\r\n"
    '** This session may be vulnerable to "store now, decrypt later" attacks.\r\n'
)
LECTURE = (
    "\nWe trust you have received the usual lecture from the local System\nAdministrator. It usually boils down to "
    "these three things:\n\n    #1) Respect the privacy of others.\n    #2) Think before you type.\n    #3) With great "
    "power comes great responsibility.\n\nFor security reasons, the password you type will not be visible.\n\n"
)


def module(out: str = "", err: str = "", code: int = 1, msg: str = NO_JSON) -> dict[str, Any]:
    """The result of a module that did not come to its end."""
    return {"failed": True, "msg": msg, "module_stdout": out, "module_stderr": err, "rc": code, "changed": False}


def command(out: str = "", err: str = "", code: int = 3) -> dict[str, Any]:
    """The result of `raw` and `script`."""
    return {"rc": code, "stdout": out, "stderr": err, "changed": True, "msg": "non-zero return code"}


def facts(**failures: dict[str, Any]) -> dict[str, Any]:
    names = {f"ansible.legacy.{name}": result for name, result in failures.items()}
    msg = f"The following modules failed to execute: {', '.join(names)}."
    return {"ansible_facts": {}, "failed_modules": names, "msg": msg, "changed": False}


def told(result: dict[str, Any], **becomes: str) -> str:
    """What the job says of a server where a task gave this result."""
    event = {"kind": "host", "host": "srv-1", "status": "FAILED", "task": "T", **becomes}
    findings = EventSummary()
    findings.take(json.loads(json.dumps({**event, "message": results.message(result)})))
    return failed(findings.failed["srv-1"], "deploy").after.removeprefix(' at "T": ')


NO_RESULT = "instead of a result came: "
NO_SHELL = f"{NO_RESULT}This account is currently not available; give deploy a shell to log in with there"
SILENT = "instead of a result, its shell ended with code 1 without a word; does deploy have a shell there?"
NOT_ALLOWED = f"{NO_RESULT}deploy is not in the sudoers file; allow deploy all commands in sudoers there"
WRONG = f"{NO_RESULT}sudo: 1 incorrect password attempt; check the password that the playbook gives to sudo"
MODULES = [
    (module("This account is currently not available.\n"), NO_SHELL),
    (module("This account is currently not available.\r\n", NEW + CLOSED), NO_SHELL),
    (module("Only sftp here\n"), f"{NO_RESULT}Only sftp here"),
    (module(err="deploy is not in the sudoers file.\n"), NOT_ALLOWED),
    (module("\r\ndeploy is not in the sudoers file.\r\n", CLOSED), NOT_ALLOWED),
    (module(err=f"{LECTURE}sudo: 1 incorrect password attempt\n"), WRONG),
    (module(LECTURE.replace("\n", "\r\n") + "sudo: 1 incorrect password attempt\r\n", CLOSED), WRONG),
    (module(err="sudo: unable to resolve host web: Name or service not known\nsudo: bad plugin\n"),
     f"{NO_RESULT}sudo: bad plugin"),
    (module(err="-bash: warning: setlocale: LC_ALL: cannot change locale (xx)\n", out="Down until noon\n"),
     f"{NO_RESULT}Down until noon"),
    (module(err=NEW + "/bin/sh: 1: /opt/python3: not found\n", code=127,
            msg="The module interpreter '/opt/python3' was not found."),
     ("The module interpreter '/opt/python3' was not found; "
      "install Python there, or set ansible_python_interpreter for the server")),
    (module(), SILENT),
    (module(err=NEW + CLOSED), SILENT),
    (module(code=137), "instead of a result, its shell ended with code 137 without a word"),
    (module("Traceback (most recent call last):\n  File x\nKeyError: 'a'\n"), f"{NO_RESULT}KeyError: 'a'"),
]  # fmt: skip


@pytest.mark.parametrize(("result", "words"), MODULES)
def test_a_module_says_the_same_in_a_task_and_among_facts(result: dict[str, Any], words: str) -> None:
    assert told(result) == words
    assert told(facts(setup=result)) == words
    assert told(facts(setup=result, service_facts=result)) == words


def test_modules_that_fail_in_different_ways_are_all_told() -> None:
    both = facts(setup=module("No way in\n"), package_facts=module(msg="Could not detect a package manager"))
    assert results.message(both) == f"{NO_JSON}: No way in; Could not detect a package manager"
    assert results.message(facts()) == "The following modules failed to execute: ."


COMMANDS = [
    (command("disk full\r\n", CLOSED), "disk full"),
    (command("disk full\r\n", NEW + POST_QUANTUM + CLOSED), "disk full"),
    (command("disk full\r\n", "Connection to web.example.org closed.\r\n"), "disk full"),
    (command("sh: 1: apt-foo: not found\r\n", CLOSED, 127), "sh: 1: apt-foo: not found"),
    (command("step 1\r\n\r\nstep 2 went wrong\r\n", CLOSED), "step 1 step 2 went wrong"),
    (command("out\n", "err\n"), "err"),
    (command("", CLOSED), "3"),
    # A program's own words, which only look like those of ssh.
    (command("", "Connection to db closed.\n"), "Connection to db closed."),
    (command("Shared connection to db closed.\r\n", CLOSED), "Shared connection to db closed."),
]


@pytest.mark.parametrize(("result", "words"), COMMANDS)
def test_a_command_says_why_it_failed(result: dict[str, Any], words: str) -> None:
    assert told(result) == f"non-zero return code: {words}"


CONDITIONS = [
    ({"failed_when_result": True, "msg": "hello"}, "its failed_when came true: hello"),
    (
        {"failed_when_result": True, "rc": 0, "stdout": "the check failed\n"},
        "its failed_when came true: the check failed",
    ),
    ({"failed_when_result": True, "stat": {}, "msg": "Unknown error."}, "its failed_when came true"),
    ({"failed_when_result": "'nope' is undefined", "msg": "hello"}, "failed_when: 'nope' is undefined: hello"),
    (
        {
            "failed_when_result": True,
            "msg": "Task failed: Action failed: A 'failed_when' expression evaluated to 'True'.",
        },
        "its failed_when came true",
    ),
    (
        {"failed_when_result": "'nope' is undefined", "msg": "A 'failed_when' expression failed: 'nope' is undefined"},
        "failed_when: 'nope' is undefined",
    ),
    ({"failed_when_result": False, "msg": "hello"}, "hello"),
    ({"attempts": 3, "msg": "OK (126 bytes)"}, "gave up after 3 attempts: OK (126 bytes)"),
    ({"attempts": 3, "rc": 0, "stdout": "not yet"}, "gave up after 3 attempts: not yet"),
    ({"attempts": 3, "msg": "Unknown error."}, "gave up after 3 attempts"),
    (command("not yet\n") | {"attempts": 3}, "gave up after 3 attempts: non-zero return code: not yet"),
]


@pytest.mark.parametrize(("result", "words"), CONDITIONS)
def test_a_condition_of_the_playbook_says_that_it_was_one(result: dict[str, Any], words: str) -> None:
    assert told(result) == words


def test_of_a_task_that_has_not_failed_no_condition_is_told() -> None:
    """One that was met at the third attempt has these keys as well."""
    met = {"attempts": 3, "failed_when_result": False, "msg": "OK (126 bytes)"}
    assert results.message(met, failed=False) == "OK (126 bytes)"
    assert results.message({"attempts": 3, "rc": 0, "stdout": "at last"}, failed=False) == ""


def test_of_a_long_output_the_end_is_told() -> None:
    lines = [f"{number}: {'x' * 280}" for number in range(9)]
    words = told(command("\n".join([*lines, "the reason"])))
    assert words.startswith("non-zero return code: … ")
    assert words.endswith(" the reason")
    assert len(words) <= 300
    assert told(command(f"{'y' * 5000} tail")).startswith("non-zero return code: yyy")


def test_whose_shell_it_is() -> None:
    gone = module("This account is currently not available.\n")
    other = f"{NO_RESULT}This account is currently not available; give app a shell there, or become another user"
    assert told(gone, become_method="su", become_user="app") == other
    assert told(gone, become_method="ansible.builtin.su", become_user="app") == other
    assert told(gone, become_method="sudo", become_user="app", become_flags="-H -i") == other
    # Sudo runs a shell of its own choice, and root has one.
    assert told(gone, become_method="sudo", become_user="app", become_flags="-H -S -n") == NO_SHELL
    assert told(gone, become_method="su", become_user="root") == NO_SHELL
    assert told(module(), become_method="su", become_user="app").endswith(
        "without a word; does app have a shell there?"
    )


@dataclass
class Event:
    """As ansible's own: a message, and what is behind it."""

    msg: str
    chain: Chain | None = None


@dataclass
class Chain:
    event: Event


@dataclass
class Summary:
    event: Event


def error(*messages: str) -> Summary:
    event = Event(messages[-1])
    for message in reversed(messages[:-1]):
        event = Event(message, Chain(event))
    return Summary(event)


ERRORS = [
    ("Error executing command.", ("Error executing command.", "[Errno 2] No such file or directory: b'nosuchcmd'"),
     "Error executing command: [Errno 2] No such file or directory: nosuchcmd"),
    ("Error executing command.", ("Error executing command.", "[Errno 13] Permission denied: '/srv/run'"),
     "Error executing command: [Errno 13] Permission denied: /srv/run"),
    ("Cannot do it", ("Cannot do it", "Something in between.", "The end of it"), "Cannot do it: The end of it"),
    # What is told has the cause already, or nothing to do with it.
    ("Task failed: No: why", ("No: why", "why"), "Task failed: No: why"),
    ("No: why", ("No: why", "why."), "No: why"),
    ("Something else", ("No", "why"), "Something else"),
    ("boom", ("boom",), "boom"),
    ("No Python.", ("No Python.", "No start of json char found"), "No Python."),
]  # fmt: skip


@pytest.mark.parametrize(("msg", "chain", "words"), ERRORS)
def test_the_error_behind_it(msg: str, chain: tuple[str, ...], words: str) -> None:
    assert results.message({"msg": msg}, error=error("Task failed.", "Module failed.", *chain)) == words


def test_what_was_asserted() -> None:
    assert results.message({"msg": "Assertion failed", "assertion": "disk.free > 10"}) == (
        "Assertion failed: disk.free > 10"
    )
    assert results.message({"msg": "Assertion failed", "assertion": False}) == "Assertion failed: false"
    assert results.message({"msg": "Too little room", "assertion": "disk.free > 10"}) == "Too little room"


def test_what_is_hidden_stays_hidden() -> None:
    hidden = {"censored": "hidden", "failed_modules": {"setup": module("secret")}, "assertion": "secret"}
    assert results.message(hidden, error=error("Task failed.", "hidden", "secret")) == "hidden"
    assert results.message(facts(setup={**module("secret"), "_ansible_no_log": True})) == "hidden by no_log"


def test_items_without_ansibles_layers() -> None:
    said = "Task failed: Finalization of task args for 'ansible.builtin.debug' failed: 'nope' is undefined"
    assert results.item_message({"msg": said, "_ansible_item_label": "a"}) == "a: 'nope' is undefined"
    assert results.item_message({"msg": "Task failed: Module failed: no", "_ansible_item_label": "a"}) == "a: no"


def test_whom_a_task_becomes() -> None:
    fields = {"become": True, "become_method": "sudo", "become_user": "app", "become_flags": None}
    assert results.becomes(fields, {}) == {"become_method": "sudo", "become_user": "app"}
    by_su = {"ansible_become_method": "su", "ansible_become_user": "{{ who }}"}
    assert results.becomes(fields, by_su) == {"become_method": "su"}
    assert results.becomes({"become": None}, {**by_su, "ansible_become": True}) == {"become_method": "su"}
    assert results.becomes({**fields, "become": False}, {}) == {}
