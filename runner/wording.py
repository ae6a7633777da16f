"""Words of ansible, ssh and servers made fit for a message: one printable line, cut, and if possible what to do."""

import re
from dataclasses import dataclass

MOST_SAID = 300
_MOST_READ = 4000
_MOST_TASK = 100
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)
_PREFIX = re.compile(
    r"(?:Task failed: |Action failed: |Module failed: |Failed to connect to the host via \w+: |Failed to authenticate: "
    r"|Finalization of task args for '[^']*' failed: "
    r"|Data could not be sent to remote host \"[^\"]*\"\. Make sure this host can be reached over ssh: "
    r"|Warning: Permanently added '[^']*' \([^)]*\) to the list of known hosts\.\s*)"
)
_SENT_KEY = re.compile(
    r"^The fingerprint for the \S+ key sent by the remote host is\s+(SHA256:[A-Za-z0-9+/]{43})", re.MULTILINE
)
_METHODS = re.compile(r"Permission denied \(([a-z,-]{1,100})\)")
_TRY_AGAIN = "Permission denied, please try again"
_AWAY = (
    ("Connection refused", "connection refused; check host, port and firewall"),
    ("Could not resolve hostname", "its host name cannot be resolved; check host and DNS"),
    ("No route to host", "no route to it; check host and network"),
    ("Network is unreachable", "no route to it; check host and network"),
    ("timed out", "no answer in time; check host, port and firewall"),
    ("Connection closed by", "it closed the connection; check that an ssh server listens on this port"),
    ("Connection reset by", "it closed the connection; check that an ssh server listens on this port"),
)


@dataclass(frozen=True)
class Trouble:
    """What took a host out of a job: the task, and what ansible said."""

    task: str
    said: str


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


def failed(trouble: Trouble | None) -> Cause:
    """A server on which a task failed."""
    if trouble is None:
        return Cause("failed on ")
    # 2.21 says it with more words than those before.
    said = plain(_bare(trouble.said)).replace("The command exited with a non-zero return code", "non-zero return code")
    return Cause("failed on ", f' at "{plain(trouble.task, _MOST_TASK)}"{": " if said else ""}{said}')


def away(trouble: Trouble | None, server_id: str, user: str, pinned: str | None) -> Cause:
    """A server that ansible could not log in to; `pinned` is the fingerprint of the host key that was asked for."""
    said = _bare(trouble.said) if trouble is not None else ""
    if "Host key verification failed" in said:
        return _host_key(said, server_id, pinned)
    if "Invalid/incorrect" in said or _TRY_AGAIN in said:
        return Cause("", f" refused the password of {user}: check user and password")
    if methods := _METHODS.search(said):
        return Cause("", f" refused to log in {user} (it takes {methods[1]}): check user and credential")
    if "waiting for privilege escalation prompt" in said:
        return Cause("could not become another user on ", f": sudo asks for a password; let {user} do without")
    for word, advice in _AWAY:
        if word in said:
            return Cause("could not reach ", f": {advice}")
    return Cause("could not reach ", f": {plain(said)}" if said else "")


def _host_key(said: str, server_id: str, pinned: str | None) -> Cause:
    sent = _SENT_KEY.search(said)
    if sent is None or pinned is None:
        return Cause("the host key of ", f" cannot be verified: {plain(said)}")
    return Cause(
        "the host key of ",
        f" has changed: {pinned} is pinned, {sent[1]} was sent. If the server was really installed anew, run"
        f' updateServer(input: {{id: "{server_id}", forgetHostKey: true}}); if not, somebody may pass for it',
    )


def _bare(said: str) -> str:
    """What was said without the layers around it that each say no more than "failed"."""
    said = said[:_MOST_READ].strip()
    while prefix := _PREFIX.match(said):
        said = said[prefix.end() :]
    return said
