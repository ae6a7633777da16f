"""The reason in what ssh, sudo or a module printed: its last line that means something, and advice where we have some.

What was printed is often mostly something else: a server's banner of any length, warnings of ssh about itself, the
layers that ansible puts around it. `said` is such a text as it came; the reasons are plain lines for people.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Becomes:
    """Whom a task wanted to become on its host, and by what; empty where ansible does not tell."""

    method: str = ""
    user: str = ""
    flags: str = ""

    @property
    def shell(self) -> str:
        """Whose shell runs the commands, if it is not that of the user who logs in.

        Sudo starts a shell of its own choice, unless it is told to log in; and nobody takes root's shell away.
        """
        by_sudo = self.method in {"", "sudo"} and not re.search(r"(?:^|\s)-(?:-login|-shell|\w*[is])", self.flags)
        return "" if by_sudo or self.user == "root" else self.user


NOBODY = Becomes()
"""A task that stays who logs in, or does not tell."""

_MOST_READ = 16_000
_PREFIX = re.compile(
    r"(?:Task failed: |Action failed: |Module failed: |Unknown error[.:]+\s*"
    r"|Unable to retrieve file contents\.\s*|Failed to connect to the host via \w+:\s*"
    r"|Failed to authenticate:\s*|Invalid/incorrect (?:username/)?password[^:]*:\s*|sshpass error:\s*"
    r"|Finalization of task args for '[^']*' failed: |Unexpected \w+ error: "
    r"|Premature end of stream waiting for become success\.\s+(?:>>> Standard (?:Output|Error)\s+)?"
    r"|Data could not be sent to remote host \"[^\"]*\"\. Make sure this host can be reached over ssh:\s*)"
)
_NO_DIRECTORY = re.compile(
    r"Failed to create temporary directory\..*?, exited with result (?P<code>\d+)(?P<told>.*)", re.DOTALL
)
_OUTPUT = re.compile(r", std(?:out|err) output: ")
# Lines that say nothing about a trouble, whatever the trouble is.
_NOISE = re.compile(
    r"""
    Warning:\ Permanently\ added\ | @{5,} | @\s+WARNING | \*\*\ | debug[123]:\ | OpenSSH_ | \[sudo | playcast:\ Invalid
    | (?:Shared\ )?[Cc]onnection\ to\ \S+\ closed\. | Killed\ by\ signal\ | Pseudo-terminal\ will\ not\ be\ allocated
    | Authenticated\ to\ | Authenticating\ with\ | Last\ login:\ | You\ have\ (?:new\ |no\ )?mail
    | Warning:\ .*(?:post-quantum|remote\ port\ forwarding|No\ xauth) | X11\ forwarding\ request\ failed
    | stdin:\ is\ not\ a\ tty | mesg:\ | \S*sh:\ warning:\ setlocale: | perl:\ warning: | Load\ key\ "/dev/null"
    | Warning:\ Your\ password\ will\ expire | Your\ password\ will\ expire | unable\ to\ set\ controlling\ terminal
    | mux_client_hello_exchange | Failed\ to\ connect\ to\ new\ control\ master | Disconnected\ from\
    | .{0,40}no\ mutual\ signature\ algorithm.{0,20}$ | Transferred:\ sent | Bytes\ per\ second: | \s*$
    """,
    re.VERBOSE,
)
# Of a connection that is there no more: it had been made, and a session ran over it.
_LOST = re.compile(
    r"Timeout, server \S+ not responding|Connection to \S+ closed by remote host"
    r"|client_loop: send disconnect|packet_write_wait: "
    r"|Read from remote host|Write failed: Broken pipe|Connection to \S+ port \d+: Broken pipe|ssh_dispatch_run_fatal"
    r"|mux_client_\w+: read from master failed"
)
# ssh's own word for the end of a connection. What was told before, if it is a reason and no banner, is the reason.
_CLOSED = re.compile(
    r"Connection (?:closed|reset) by |kex_exchange_identification: |ssh_exchange_identification: "
    r"|banner exchange: .*(?:closed|reset)|Received disconnect from \S+(?: port \d+)?:\d+:\s*$|Disconnected from "
)
_TELLING = re.compile(
    r"expire|lock|disabl|denied|not allow|not permit|refus|nologin|not available|unavailable|maintenance|going down"
    r"|shut ?down|too many|fail|invalid|error|unable|cannot|can't|could not|limit|exceed|password|blocked|banned|sorry",
    re.IGNORECASE,
)

_ERROR = re.compile(r"^(?P<module>(?:\w+\.)*)(?P<kind>\w*(?:Error|Exception|Failure)): ", re.MULTILINE)

_NO_ROOM = "no temporary directory could be made there: "
_CLOSED_EARLY = "it closed the connection; check that an ssh server listens on this port"
_CLOSED_BY_LIMIT = f"{_CLOSED_EARLY}, and whether it limits connections (MaxStartups, fail2ban)"
# What ssh says → what it means. Of the last line that matches one of them, the first that matches.
_UNREACHABLE = [
    (r"Connection refused", "connection refused; check host, port and firewall"),
    (r"Could not resolve hostname|Name or service not known", "its host name cannot be resolved; check host and DNS"),
    (r"No route to host|Network is unreachable|Host is down", "no route to it; check host and network"),
    (r"timed out|Operation timeout", "no answer in time; check host, port and firewall"),
    (r"no matching (?P<what>[\w ]+?) found\.? Their offer: (?P<offer>\S+)",
     "ssh here and there have no {what} in common; it offers {offer}"),
    (r"Too many authentication failures",
     "it allows no more tries to log in (MaxAuthTries of its sshd); check user and credential"),
    (r"Session open refused by peer|administratively prohibited",
     "its sshd allows no more sessions over a connection (MaxSessions)"),
    (r"Protocol mismatch|Invalid SSH identification|Bad packet length|banner exchange: .*invalid format",
     "what answers there is not an ssh server; check host and port"),
    (r"Bad owner or permissions on (?P<file>\S+)", "ssh does not use {file}, whose owner or permissions are wrong"),
    (r"(?:Error loading|Load) key \"[^\"]*\": (?P<why>.*)|(?P<also>error in libcrypto|invalid format)$",
     "its private key cannot be read; store the key anew"),
    (r"sign_and_send_pubkey: .*|agent refused operation", "the key could not sign; check the credential"),
    (r"ControlPath too long|too long for Unix domain socket", "the path of ssh's control socket is too long"),
    (r"kex_exchange_identification: |ssh_exchange_identification: |banner exchange: ", _CLOSED_BY_LIMIT),
    (r"Connection (?:closed|reset) by |Disconnected from ", _CLOSED_EARLY),
]  # fmt: skip
_SUDO_ALL = "let {user} become another user there without a password (NOPASSWD for all commands in sudoers)"
# Ansible's words about becoming another user; where a task becomes nobody, a program has printed them.
_ADVICE_OF_BECOMING: list[tuple[str, str]] = [
    (r"Missing (?!sudo )\w+ password",
     "let the playbook give one (ansible_become_password), or become by sudo where {user} needs none"),
    (r"Missing \w+ password|a password is required|no password was provided", _SUDO_ALL),
    (r"Incorrect (?P<by>\w+) password", "check the password that the playbook gives to {by}"),
]  # fmt: skip
# What ansible, sudo or a module says → what to do about it. {user} is who logs in, {other} whom the task becomes,
# and {shell} says whose shell is to be looked at.
_ADVICE: list[tuple[str, str]] = [
    (r"sudo: (?:a password is required|no password was provided|a terminal is required to read)", _SUDO_ALL),
    (r"incorrect password attempt", "check the password that the playbook gives to sudo"),
    (r"su: Authentication (?:failure|error)", "check the password that the playbook gives to su"),
    (r"must have a tty to run sudo|you must have a tty",
     "take requiretty out of sudoers there, or switch pipelining off for the recipe (`pipelining: false`)"),
    (r"is not in the sudoers file|may not run sudo|is not allowed to (?:execute|run)",
     "allow {user} all commands in sudoers there"),
    (r"chmod: invalid mode: .A\+user:(?P<name>[^:']+)",
     ("install the package acl there, or leave pipelining on: a file must be shared with the other user; "
      "or the user {name} does not exist")),
    (r"Failed to change ownership of the temporary files", "check that the user {other} exists there"),
    (r"Failed to set permissions on the temporary files Ansible needs to create",
     "install the package acl there, or leave pipelining on: a file must be shared with the other user"),
    (r"sudo: (?:not found|command not found)|sudo: No such file|Please install the .*sudo", "install sudo there"),
    (r"The module interpreter '[^']*' was not found|No python interpreters found|python\S*: (?:not found|No such file)",
     "install Python there, or set ansible_python_interpreter for the server"),
    (r"[Rr]equires a minimum of Python|SyntaxError: future feature annotations is not defined",
     "install a newer Python there, or set ansible_python_interpreter for the server"),
    (r"This account is currently not available", "give {shell}"),
    # Other codes are those of a program: one that a signal has ended, say.
    (r"its shell ended with code [01] without a word", "does {owner} have a shell there?"),
    (r"mkdir or its shell ended with code [01]",
     "check that {owner} has a shell there, and a home that can be written and has room"),
    (r"Your password has expired|Password change required|change your password", "give {user} a new password there"),
    (r"No space left on device|Disk quota exceeded", "make room on its disk"),
    (r"Could not get lock|Unable to (?:acquire|lock) .*(?:lock|directory)|is another process using it",
     "another program installs packages there; run it again once that is done"),
]  # fmt: skip
_KINDS = {
    "dict": "a dict", "list": "a list", "tuple": "a list", "str": "a text", "int": "a number", "float": "a number",
    "bool": "true or false", "nonetype": "nothing", "date": "a date", "datetime": "a time",
}  # fmt: skip


def _in_words(kind: re.Match[str]) -> str:
    """A class of Python, as people call it that write YAML; others are left alone."""
    return _KINDS.get(kind["kind"].lower(), kind[0])


# Ansible's own sentence → ours.
_REWORDED: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (re.compile(r"Module result deserialization failed: No start of json char found[:.]?\s*(?=.)", re.DOTALL),
     "instead of a result came: "),
    (re.compile(r"Refusing to deserialize an invalid UTF8 string value: 'utf-8' codec can't \w+code [^:]*: [\w ]+"),
     "what it printed is not UTF-8 text"),
    (re.compile(r"'utf-8' codec can't (?:en|de)code [^:]*: [\w ]+"), "the file is not UTF-8 text: save it as UTF-8"),
    (re.compile(r"\s*>>> Standard (?:Output|Error)\s+"), " "),
    (re.compile(r"(?:\ban? )?<class '(?:[\w.]+\.)?(?:_AnsibleTagged)?(?P<kind>\w+)'>"), _in_words),
    (re.compile(r"The command exited with a non-zero return code"), "non-zero return code"),
    (re.compile(r"(?:\s+Searched in:.*?)? on the Ansible Controller\b.*", re.DOTALL), ""),
]  # fmt: skip


def bare(said: str) -> str:
    """What was said without the layers around it that each say no more than "failed"."""
    said = said[:_MOST_READ].strip()
    while prefix := _PREFIX.match(said):
        said = said[prefix.end() :]
    return said


def meaningful(said: str) -> list[str]:
    """The lines that may hold the reason, in their order: without warnings of ssh about itself, and without blanks."""
    made = _NO_DIRECTORY.search(said)
    parts = _OUTPUT.split(made["told"]) if made is not None else [said]
    lines = [line.strip() for part in parts for line in part.splitlines()]
    return [line for line in lines if not _NOISE.match(line)]


def of_unreachable(said: str) -> str | None:
    """Why ssh could not do its work, with what to check; None if it says nothing, since the connection broke."""
    text = bare(said)
    lines = meaningful(text)
    if not lines and (silent := _NO_DIRECTORY.search(text)):
        # What was printed as an error ansible keeps to itself.
        return f"{_NO_ROOM}mkdir or its shell ended with code {silent['code']}"
    if not lines or (_LOST.search(text) and not _known(lines[-1])) or _LOST.search(lines[-1]):
        return None
    if _CLOSED.search(lines[-1]) and (told := _told_before(lines)):
        return f"it closed the connection and said: {told}"
    for line in reversed(lines):
        if known := _known(line):
            return known
    prefix = _NO_ROOM if _NO_DIRECTORY.search(text) else ""
    return prefix + lines[-1]


def is_no_room(reason: str) -> bool:
    """Whether it is what a shell said in which ansible found no place for its files: the log-in itself went well."""
    return reason.startswith(_NO_ROOM)


def _known(line: str) -> str | None:
    for pattern, meaning in _UNREACHABLE:
        if match := re.search(pattern, line):
            return meaning.format(**match.groupdict())
    return None


def _told_before(lines: list[str]) -> str | None:
    """The last line before the end of the connection, if it looks like a reason."""
    before = [line for line in lines if not _CLOSED.search(line)]
    return before[-1] if before and _TELLING.search(before[-1]) else None


def of_failure(said: str) -> str:
    """Why a task failed."""
    text = bare(said)
    for pattern, words in _REWORDED:
        text = pattern.sub(words, text)
    return text.strip()


def advice(said: str, user: str, becomes: Becomes = NOBODY) -> str | None:
    """What to do about what was said where `user` logs in; None if nothing is known."""
    shell = becomes.shell
    names = {
        "user": user,
        "other": becomes.user or "that it becomes",
        "owner": shell or user,
        "shell": f"{shell} a shell there, or become another user" if shell else f"{user} a shell to log in with there",
    }
    for pattern, what in _ADVICE if becomes == NOBODY else [*_ADVICE_OF_BECOMING, *_ADVICE]:
        if match := re.search(pattern, said):
            return what.format(**names, **match.groupdict())
    return None


def last_error(output: str) -> str | None:
    """What a Python program ended with, told behind its last traceback; errors of ansible without their class."""
    found = list(_ERROR.finditer(output)) if "Traceback (most recent call last)" in output else []
    if not found:
        return None
    kind = "" if found[-1]["module"].startswith("ansible.") else f"{found[-1]['kind']}: "
    return of_failure(kind + output[found[-1].end() :])
