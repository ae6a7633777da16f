"""What a job left in its directory, read once it has ended: bounded, and with care.

Ansible wrote these files, but a playbook that runs on this machine may write there as well.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.host_keys import fingerprint, host_name, learned_keys
from runner.job_dir import JobDir
from runner.job_processes import this_boot
from runner.outcome.reasons import Becomes, last_error, of_failure
from runner.outcome.wording import Trouble, plain
from runner.programs.log_file import log_was_cut
from runner.recipes.description import Expects

Recap = dict[str, dict[str, int]]

LOG_BYTES = 64 * 1024
"""How much of a log is read, from its beginning and from its end."""
FULL_BYTES = 64 * 1024
"""A disk with less than this left counts as full."""

BAD_CALLBACK = "a callback plugin"
"""How an error begins that a callback plugin has raised before anything ran."""

_MOST_LINE = 1024 * 1024
_MOST_HOSTS = 2000
_MOST_TAGS = 10
_BECOMES = ("become_method", "become_user", "become_flags")
_TELLING = (
    b'"recap"', b'"FAILED"', b'"UNREACHABLE"', b'"kind":"play"', b'"kind":"task"', b'"interpreter"', b'"away":true',
)  # fmt: skip
# Ansible 2.19 and later say the first, older ones the second.
_ERROR = re.compile(r"^(?:\[ERROR\]: |ERROR! )", re.MULTILINE)
_ORIGIN = re.compile(r"^Origin: ([^\n]*?(?::\d+)?)(?::\d+)?$", re.MULTILINE)
_BUG = "Unexpected Exception, this is probably a bug: "
# Where ansible loads callback plugins, and the files that a traceback leads to.
_LOADS = re.compile(r"^  File \"(?P<ansible>[^\"\n]+/)executor/[^\"\n]+\", line \d+, in load_callbacks$", re.MULTILINE)
_OURS = f"{Path(__file__).parents[1]}/"
_FILE = re.compile(r"^  File \"(?P<file>[^\"<\n]+)\", ", re.MULTILINE)
_DEBUGGED = re.compile(r"^\[[^\]\n]+\] TASK: .* \(debug\)> User interrupted execution$", re.MULTILINE)
_UNANSWERED = re.compile(r"^\[WARNING\]: Not (?:prompting as we|waiting for response to prompt)", re.MULTILINE)


@dataclass
class EventSummary:
    """What the events tell: the last recap, the first trouble of each host, and the hosts that a play named.

    `unserved` says why a play did not come to its end on a host that it names (`playcast_served`), `unknown_tags` which
    of the tags that the call names no task has. `interpreters` says for a host where ansible found its Python, if it
    had to look. `spared` are the hosts that the last task of all could not reach and the playbook ignores
    (`ignore_unreachable`). `trees` are cut off the paths in messages.
    """

    recap: Recap | None = None
    unserved: dict[str, str] = field(default_factory=dict)
    unknown_tags: tuple[str, ...] = ()
    failed: dict[str, Trouble] = field(default_factory=dict)
    away: dict[str, Trouble] = field(default_factory=dict)
    spared: dict[str, Trouble] = field(default_factory=dict)
    played: set[str] = field(default_factory=set)
    interpreters: dict[str, str] = field(default_factory=dict)
    trees: tuple[str, ...] = ()
    _task_id: object = None

    def take(self, event: dict[str, Any]) -> None:
        """Note one event; what does not look like one of the plugin's is left out."""
        kind, host, hosts = event.get("kind"), event.get("host"), event.get("hosts")
        if kind == "recap" and isinstance(hosts, dict):
            self.recap = {name: _counters(given) for name, given in hosts.items()}
            self.unserved = _texts(event.get("unserved"))
            tags = event.get("unknown_tags")
            self.unknown_tags = (
                tuple(plain(str(tag), 64) for tag in tags[:_MOST_TAGS]) if isinstance(tags, list) else ()
            )
        elif kind == "play" and isinstance(hosts, list):
            self.played.update(name for name in hosts[:_MOST_HOSTS] if isinstance(name, str))
        elif kind == "task":
            self._pass_to(event)
        elif kind == "host" and isinstance(host, str):
            interpreter = event.get("interpreter")
            if isinstance(interpreter, str) and len(self.interpreters) < _MOST_HOSTS:
                self.interpreters[host] = interpreter
            troubles = {"FAILED": self.failed, "UNREACHABLE": self.away}.get(str(event.get("status")))
            if troubles is not None and len(troubles) < _MOST_HOSTS:
                troubles.setdefault(host, _trouble(event, self.trees))
            if event.get("away") is True:
                self._pass_to(event)
                if len(self.spared) < _MOST_HOSTS:
                    self.spared[host] = _trouble(event, self.trees)

    def _pass_to(self, event: dict[str, Any]) -> None:
        """The task of `event` is the last so far."""
        if event.get("task_id") != self._task_id:
            self._task_id = event.get("task_id")
            self.spared.clear()


def _trouble(event: dict[str, Any], trees: tuple[str, ...]) -> Trouble:
    said, delegate = event.get("message"), event.get("delegate")
    return Trouble(
        str(event.get("task")),
        _without(trees, said) if isinstance(said, str) else "",
        delegate if isinstance(delegate, str) else None,
        Becomes(*(plain(given) if isinstance(given, str) else "" for given in map(event.get, _BECOMES))),
        plain(user) if isinstance(user := event.get("user"), str) else None,
    )


@dataclass(frozen=True)
class Findings:
    """All that the judge goes by. Hosts are called `srv-<id>`.

    `end` is exit.json, and `garbled` says that it is there and cannot be read. `error` is the last that ansible said
    went wrong, with its place in the playbook, and `last_line` the last of the log; both are plain. `unanswered`: a
    playbook asked, and nobody could answer; `debugged`: ansible's debugger did.
    """

    end: dict[str, Any] | None = None
    told: EventSummary = field(default_factory=EventSummary)
    error: str | None = None
    last_line: str | None = None
    unanswered: bool = False
    debugged: bool = False
    users: Mapping[str, str] = field(default_factory=dict)
    pinned: Mapping[str, str | None] = field(default_factory=dict)
    expects: Expects = Expects.ALL
    removed: bool = False
    rebooted: bool = False
    disk_full: bool = False
    log_cut: bool = False
    cut_off: bool = False
    garbled: bool = False


def read_findings(job_dir: JobDir) -> Findings:
    """What the job in `job_dir` left. It reads a file of any size: call it in a thread."""
    run, spec = job_dir.read_json(job_dir.run), job_dir.read_json(job_dir.spec) or {}
    log, cut = _log(job_dir.log), log_was_cut(job_dir.log)
    last_line = plain(log.rstrip().rpartition("\n")[2])
    keys = learned_keys(_text(job_dir.known_hosts))
    end = _end(job_dir)
    return Findings(
        end=end,
        garbled=end is None and job_dir.exit.exists(),
        told=_told(job_dir.events, _ansible_dir(spec)),
        # The end of a log that was cut tells nothing about the end of the job.
        error=None if cut else _error(log, _ansible_dir(spec)),
        last_line=None if cut else last_line or None,
        unanswered=_UNANSWERED.search(log) is not None,
        debugged=_DEBUGGED.search(log) is not None,
        users=dict(_users(_text(job_dir.hosts))),
        pinned={host_name(server_id): fingerprint(key) for server_id, key in keys.items()},
        expects=_expects(spec),
        removed=not job_dir.claimed(),
        rebooted=run is not None and isinstance(run.get("boot_id"), str) and run["boot_id"] != this_boot(),
        disk_full=_full(job_dir.path),
        log_cut=cut,
        cut_off=job_dir.cut_off.exists(),
    )


def _end(job_dir: JobDir) -> dict[str, Any] | None:
    """exit.json; None if it does not say how the job ended. What another version has put there besides is left out."""
    end = job_dir.read_json(job_dir.exit) or {}
    reason, code, message = (end.get(name) for name in ("reason", "code", "message"))
    if not isinstance(reason, str) or not isinstance(code, int) or abs(code) >= 2**31:
        return None
    return {"reason": reason, "code": code, "message": message if isinstance(message, str) else None}


def _told(path: Path, ansible_dir: Path) -> EventSummary:
    """The events, each line by itself: the last one may be cut off."""
    told = EventSummary(trees=_trees(ansible_dir))
    try:
        with path.open("rb") as file:
            while line := file.readline(_MOST_LINE):
                if any(word in line for word in _TELLING):
                    told.take(_object(line))
    except OSError:
        pass
    return told


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _texts(given: object) -> dict[str, str]:
    texts = given if isinstance(given, dict) else {}
    return {name: text for name, text in texts.items() if isinstance(text, str)}


def _counters(given: object) -> dict[str, int]:
    counters = given if isinstance(given, dict) else {}
    return {name: count for name, count in counters.items() if isinstance(count, int)}


def _log(path: Path) -> str:
    """The beginning and the end of the log."""
    try:
        with path.open("rb") as file:
            begin = file.read(LOG_BYTES)
            file.seek(max(file.seek(0, os.SEEK_END) - LOG_BYTES, len(begin)))
            return (begin + file.read(LOG_BYTES)).decode(errors="replace")
    except OSError:
        return ""


def _error(log: str, ansible_dir: Path) -> str | None:
    """Ansible's last error, as `<text> (playbooks/x.yml:3)`: the one it ended with, if there is no recap."""
    log = _without(_trees(ansible_dir), log)
    marks = list(_ERROR.finditer(log))
    if not marks:
        failure = last_error(log)
        return plain(failure) if failure else None
    told = log[marks[-1].end() :]
    origin = _ORIGIN.search(told)
    text = of_failure(told.split("\n\n", 1)[0].split("\nOrigin: ", 1)[0])
    first = told.split("\nThe above exception was ", 1)[0]
    if text.startswith(_BUG) and (loads := _LOADS.search(first)):
        # The first that is neither ansible's nor ours; a plugin that lacks its class does not come up at all.
        files = (match["file"] for match in _FILE.finditer(first, loads.end()))
        file = next((f" {plain(file)}" for file in files if not file.startswith((loads["ansible"], _OURS))), "")
        return f"{BAD_CALLBACK}{file} cannot be loaded: {plain(text.removeprefix(_BUG))}"
    return plain(text) + (f" ({plain(origin[1])})" if origin else "")


def _expects(spec: dict[str, Any]) -> Expects:
    """What the recipe said when the job began; jobs of earlier versions expect all."""
    return next((known for known in Expects if known == spec.get("expects")), Expects.ALL)


def _ansible_dir(spec: dict[str, Any]) -> Path:
    """Where the playbooks are; people know them by their path below it."""
    env = spec.get("env")
    return Path(str(env.get("ANSIBLE_CONFIG"))).parent if isinstance(env, dict) else Path()


def _trees(ansible_dir: Path) -> tuple[str, ...]:
    """What paths of the ansible directory begin with."""
    return tuple({f"{tree}/": None for tree in (ansible_dir, ansible_dir.resolve())}) if ansible_dir != Path() else ()


def _without(trees: tuple[str, ...], text: str) -> str:
    for tree in trees:
        text = text.replace(tree, "")
    return text


def _users(hosts_ini: str) -> Iterator[tuple[str, str]]:
    """(host, user) for each line of the readable inventory that has both."""
    for line in hosts_ini.splitlines():
        host, _, rest = line.partition(" ")
        for word in rest.split():
            if word.startswith("ansible_user="):
                yield host, plain(word.removeprefix("ansible_user=").strip("'"))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _full(path: Path) -> bool:
    try:
        disk = os.statvfs(path)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < FULL_BYTES
