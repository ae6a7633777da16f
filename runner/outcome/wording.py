"""Words of ansible, ssh and servers made fit for a message: one printable line, cut, and if possible what to do."""

import re
from dataclasses import dataclass

from runner.outcome import reasons
from runner.outcome.reasons import NOBODY, Becomes

MOST_SAID = 300
SEVERAL = ", "
"""What stands between the names of the hosts that the items of a loop were delegated to."""
_MOST_READ = 4000
_MOST_TASK = 100
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)
_SENT_KEY = re.compile(
    r"^The fingerprint for the \S+ key sent by the remote host is\s+(SHA256:[A-Za-z0-9+/]{43})", re.MULTILINE
)
_METHODS = re.compile(r"Permission denied \(([a-z,-]{1,100})\)")
_BEFORE_OUTPUT = ("instead of a result came: ", "non-zero return code: ")
_TRY_AGAIN = "Permission denied, please try again"


@dataclass(frozen=True)
class Trouble:
    """What took a host out of a job: the task, what ansible said, and the hosts that it was delegated to, if any.

    `user` is who logs in for the task, where ansible tells.
    """

    task: str
    said: str
    delegate: str | None = None
    becomes: Becomes = NOBODY
    user: str | None = None


@dataclass(frozen=True)
class Cause:
    """A sentence about servers, less their names: `before` NAMES `after`. Servers with equal causes share one."""

    before: str
    after: str = ""


def plain(text: str, most: int = MOST_SAID) -> str:
    """`text` as one line of at most `most` printable characters; escape sequences and control characters are gone."""
    shown = "".join(letter if letter.isprintable() else " " for letter in _ESCAPES.sub("", text[:_MOST_READ]))
    line = " ".join(shown.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def failed(trouble: Trouble | None, user: str) -> Cause:
    """A server on which a task failed; `user` logs in there."""
    if trouble is None:
        return Cause("failed on ")
    where = f" (delegated to {plain(trouble.delegate, _MOST_TASK)})" if trouble.delegate else ""
    advice = reasons.advice(trouble.said, user, trouble.becomes)
    said = _end_of(reasons.of_failure(trouble.said), MOST_SAID - len(advice or ""))
    told = f"{said.removesuffix('.')}; {advice}" if advice else said
    return Cause("failed on ", f' at "{plain(trouble.task, _MOST_TASK)}"{where}{": " if told else ""}{told}')


def _end_of(said: str, most: int) -> str:
    """`said` as one line; of an output that is too long the last lines, since they hold the reason."""
    head = next((head for head in _BEFORE_OUTPUT if said.startswith(head)), "")
    lines = said.removeprefix(head).splitlines() if head else []
    if len(lines) < 2 or len(plain(said, _MOST_READ)) <= most:
        return plain(said, most)
    while len(lines) > 1 and len(plain(f"{head}… {' '.join(lines)}", _MOST_READ)) > most:
        del lines[0]
    return plain(f"{head}… {' '.join(lines)}", most)


def away(trouble: Trouble | None, server_id: str, user: str, pinned: str | None) -> Cause:
    """A server that ansible could not log in to; `pinned` is the fingerprint of the host key that was asked for."""
    if trouble is None or not trouble.said:
        return Cause("could not reach ")
    if trouble.delegate:
        return _delegate_away(trouble, trouble.delegate, user)
    if "Host key verification failed" in trouble.said:
        return _host_key(reasons.bare(trouble.said), server_id, pinned)
    if "waiting for privilege escalation prompt" in trouble.said:
        return _asked(trouble, user)
    return _refused(trouble.said, user) or _not_reached(trouble, user)


def _refused(said: str, user: str) -> Cause | None:
    """A server that answers, and does not let the user in; None if that is not the trouble."""
    if "playcast: Invalid/incorrect" in said or _TRY_AGAIN in said:
        return Cause("", f" refused the password of {user}: check user and password")
    if methods := _METHODS.search(said):
        return Cause("", f" refused to log in {user} (it takes {methods[1]}): check user and credential")
    return None


def _asked(trouble: Trouble, user: str) -> Cause:
    """A server on which sudo, or what is used in its place, waits for a password."""
    becomes = trouble.becomes
    method = plain(becomes.method, _MOST_TASK) or "sudo"
    other = plain(becomes.user, _MOST_TASK) or "another user"
    advice = (
        f"let {user} do without"
        if method == "sudo"
        else f"let the playbook give the right one (ansible_become_password), or become by sudo where {user} needs none"
    )
    where = f' at "{plain(trouble.task, _MOST_TASK)}"'
    return Cause(
        f"could not become {other} on ", f"{where}: {method} asks for a password, or does not answer; {advice}"
    )


def _not_reached(trouble: Trouble, user: str) -> Cause:
    reason = _advised(trouble.said, user)
    if reason is not None:
        return Cause("could not reach ", f": {reason}")
    lost = f' in the middle of "{plain(trouble.task, _MOST_TASK)}": look at the server, then run it again'
    return Cause("the connection was lost to ", lost)


def _advised(said: str, user: str) -> str | None:
    """Why ssh could not do its work, and what to do about it; None if the connection broke."""
    reason = reasons.of_unreachable(said)
    if reason is None:
        return None
    advice = reasons.advice(reason, user) if reasons.is_no_room(reason) else None
    return f"{plain(reason).removesuffix('.')}; {advice}" if advice else plain(reason)


def _delegate_away(trouble: Trouble, delegate: str, user: str) -> Cause:
    """A server that was not reached for the sake of another one; `user` logs in there."""
    name = plain(delegate, _MOST_TASK)
    before = f'could not reach {name}, to which "{plain(trouble.task, _MOST_TASK)}" of '
    # Of a loop each item may have a cause of its own.
    items = trouble.said.split("; ") if SEVERAL in delegate else [trouble.said]
    causes = dict.fromkeys(_why_away(said, user) for said in items)
    return Cause(before, f" is delegated: {plain('; '.join(causes))}")


def _why_away(said: str, user: str) -> str:
    refused = _refused(said, user)
    return f"it{refused.after}" if refused else _advised(said, user) or "the connection was lost in the middle of it"


def _host_key(said: str, server_id: str, pinned: str | None) -> Cause:
    sent = _SENT_KEY.search(said)
    if sent is None or pinned is None:
        return Cause("the host key of ", f" cannot be verified: {plain(' '.join(reasons.meaningful(said)))}")
    return Cause(
        "the host key of ",
        f" has changed: {pinned} is pinned, {sent[1]} was sent. If the server was really installed anew, run"
        f' updateServer(input: {{id: "{server_id}", forgetHostKey: true}}); if not, somebody may pass for it',
    )
