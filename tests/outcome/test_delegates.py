"""Trouble on a server to which a task was delegated: whose it is, and who logs in there."""

from collections.abc import Mapping

import pytest

from runner.outcome.findings import EventSummary, Findings
from runner.outcome.judge import judge

HOSTS = {"srv-1": "web", "srv-2": "balancer", "srv-3": "store"}
USERS = {"srv-1": "deploy", "srv-2": "ops", "srv-3": "backup"}
NOTHING = dict.fromkeys(("ok", "changed", "failed", "skipped", "unreachable", "rescued", "ignored"), 0)
SSH = "Failed to connect to the host via ssh: "
CLOSED_PORT = f"{SSH}ssh: connect to host 10.0.0.1 port 22: Connection refused"
WRONG = f"{SSH}Permission denied, please try again."


def message(status: str, said: str, **details: object) -> str | None:
    """What a job says in which this happened on the server `web`."""
    told = EventSummary()
    event: Mapping[str, object] = {"kind": "host", "host": "srv-1", "status": status, "task": "T", "message": said}
    told.take({**event, **details})
    recap = {"srv-1": {**NOTHING, status.lower(): 1}, "srv-2": {**NOTHING, "ok": 1}, "srv-3": {**NOTHING, "ok": 1}}
    return judge({"reason": "exited", "code": 2}, recap, HOSTS, Findings(told=told, users=USERS)).message


@pytest.mark.parametrize(
    ("delegate", "said", "words"),
    [
        ("srv-2", CLOSED_PORT, ('could not reach balancer, to which "T" of web is delegated: connection refused; '
         "check host, port and firewall")),
        ("srv-2", WRONG, ('could not reach balancer, to which "T" of web is delegated: it refused the password of ops: '
         "check user and password")),
        ("elsewhere", WRONG, ('could not reach elsewhere, to which "T" of web is delegated: '
         "it refused the password of its user: check user and password")),
        ("srv-2, srv-3", f"one: {CLOSED_PORT}; two: {CLOSED_PORT}",
         ('could not reach balancer, store, to which "T" of web is delegated: connection refused; '
         "check host, port and firewall")),
        ("srv-2, srv-3", f"one: {CLOSED_PORT}; two: {WRONG}",
         ('could not reach balancer, store, to which "T" of web is delegated: connection refused; '
         "check host, port and firewall; it refused the password of its user: check user and password")),
    ],
    ids=["port", "password", "elsewhere", "alike", "each"],
)  # fmt: skip
def test_a_delegate_that_is_away(delegate: str, said: str, words: str) -> None:
    assert message("UNREACHABLE", said, delegate=delegate) == words


def test_advice_names_the_account_of_the_delegate() -> None:
    told = message("FAILED", "This account is currently not available.", delegate="srv-2")
    assert told == (
        'failed on web at "T" (delegated to balancer): This account is currently not available; '
        "give ops a shell to log in with there"
    )


def test_the_delegates_of_a_loop_have_their_own_names() -> None:
    told = message("FAILED", "One or more items failed: x", delegate="srv-2, elsewhere")
    assert told == 'failed on web at "T" (delegated to balancer, elsewhere): One or more items failed: x'


@pytest.mark.parametrize(("user", "shown"), [("nosuch", "nosuch"), (None, "deploy")])
def test_the_user_of_the_task_counts(user: str | None, shown: str) -> None:
    given = {"user": user} if user else {}
    assert message("UNREACHABLE", WRONG, **given) == f"web refused the password of {shown}: check user and password"
