"""How a job ended, from what it left: exit codes alone lie, so a recap must confirm them."""

import re
import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from models import FailureReason, JobStatus
from runner.job_dir import JobDir
from runner.outcome.findings import BAD_CALLBACK, Findings, Recap, read_findings
from runner.outcome.wording import SEVERAL, Cause, Trouble, away, failed, plain
from runner.programs.ansible_child import LOG_UNWRITABLE
from runner.recipes.description import Expects

INTERRUPTED = 99
NOTHING = Findings()
_MOST_NAMED = 5
_MOST_CAUSES = 3
_UNKNOWN = "it is not known how far it came"
_THEN = "look at the servers, then run it again"
_LEFT = {
    "ABORTED": Cause("a play ended early for ", ": it stops where others fail (any_errors_fatal or the like)"),
    "NOT_STARTED": Cause("the playbook did not get to ", ", since an earlier play or batch failed"),
}
_OF_SETTINGS = re.compile(r"Error reading config file|Config '|Invalid value .* for config '")
# Settings that can be read, and that ansible cannot live up to: plugins and passwords of ansible.cfg.
_BY_SETTINGS = re.compile(
    rf"{BAD_CALLBACK}|Could not load '[^']*' callback plugin|The vault password file |Vault password script "
    r"|Invalid vault password was provided from file|EOFError \(ctrl-d\) on prompt for "
)
_DEBUGGED = (
    "ansible's debugger asked for input, which nobody can give here: take `debugger:` and `strategy: debug` out of the "
    "playbook"
)
_CUT_OFF = "it was stopped, since its worker could not reach the database (PLAYCAST_ON_PARTITION)"


@dataclass(frozen=True)
class Outcome:
    """The columns that become final together."""

    status: JobStatus
    reason: FailureReason | None
    message: str | None
    exit_code: int | None


def read_recap(job_dir: JobDir) -> Recap | None:
    """The last recap in `events.jsonl`; None if ansible never reached it."""
    return read_findings(job_dir).told.recap


def judge(
    end: dict[str, Any] | None, recap: Recap | None, hosts: Mapping[str, str], found: Findings = NOTHING
) -> Outcome:
    """The outcome of a job whose supervisor is gone.

    `end` is exit.json (None if it was never written), `hosts` maps each requested host to its server's name. What
    else was found decides no more than the words, and which of our own troubles it was.
    """
    if end is None:
        return Outcome(JobStatus.ERROR, FailureReason.WORKER_LOST, _lost(found), None)
    code = int(end["code"])
    if end["reason"] == "canceled" and found.cut_off:
        return _error(FailureReason.WORKER_LOST, f"{_CUT_OFF}: {_UNKNOWN}; {_THEN}", code)
    if end["reason"] == "canceled":
        return Outcome(JobStatus.CANCELED, None, ": ".join(filter(None, ("canceled", end.get("message")))), code)
    if end["reason"] == "timeout":
        message = end.get("message") or "stopped at its deadline"
        return Outcome(JobStatus.ERROR, FailureReason.TIMEOUT, str(message), code)
    if end["reason"] == "exec_failed":
        message = str(end.get("message") or "ansible-playbook could not be started")
        advice = ": install ansible-core beside Playcast" if "No such file" in message else ""
        return Outcome(JobStatus.ERROR, FailureReason.LAUNCH_FAILED, f"{message}{advice}", code)
    outcome = _without_recap(code, found) if recap is None else _by_recap(code, recap, hosts, found)
    return replace(outcome, message="; ".join(filter(None, (outcome.message, *_notes(found)))) or None)


def _notes(found: Findings) -> Iterator[str]:
    """What a person should know however the job ended."""
    if found.told.unknown_tags:
        yield _unknown(found)
    if found.unanswered:
        yield "the playbook asked for input, which nobody can give here: it went on without an answer"
    if found.log_cut:
        yield "the log was cut, since it reached PLAYCAST_LOG_CAP"


def _unknown(found: Findings) -> str:
    tags = found.told.unknown_tags
    return f"no task has the tag{'' if len(tags) == 1 else 's'} {', '.join(tags)}"


def _lost(found: Findings) -> str:
    if found is NOTHING:
        return f"the job's processes were killed, or the machine stopped: {_UNKNOWN}"
    if found.removed:
        return f"the job's directory was removed: {_UNKNOWN}; {_THEN}"
    if found.garbled:
        return f"the record of the job's end (exit.json) cannot be read: {_UNKNOWN}; {_THEN}"
    if found.rebooted:
        return f"the machine restarted while the job ran: {_UNKNOWN}; {_THEN}"
    return f"the job's processes were killed: {_UNKNOWN}; {_THEN}"


def _error(reason: FailureReason, message: str, code: int) -> Outcome:
    return Outcome(JobStatus.ERROR, reason, message, code)


def _without_recap(code: int, found: Findings) -> Outcome:
    """Ansible did not come to its end, whatever its exit code says."""
    if found.debugged:
        return _error(FailureReason.PLAYBOOK_FAILED, _DEBUGGED, code)
    trouble = _our_trouble(code, found)
    if trouble is None and found.disk_full and (found.error is None or found.told.played):
        trouble = "the disk of the jobs directory is full"
    if trouble is not None:
        return _error(FailureReason.WORKER_LOST, f"{trouble}: {_UNKNOWN}; {_THEN}", code)
    if found.error is not None:
        return _error(FailureReason.PLAYBOOK_FAILED, f"{_stopped(found.error, found)}: {found.error}", code)
    message = f"ansible could not run the playbook (exit code {code})" if code else "ansible ended without a recap"
    advice = f"its last line is: {found.last_line}" if found.last_line else "the log says why"
    return _error(FailureReason.PLAYBOOK_FAILED, f"{message}: {advice}", code)


def _stopped(error: str, found: Findings) -> str:
    """What ansible could not do before this error."""
    if _OF_SETTINGS.match(error):
        return "ansible could not read its settings"
    if error.startswith("the playbook asks for "):
        return "ansible stopped"
    if error.startswith("Invalid play strategy specified"):
        return "ansible does not know the strategy of the play or of its settings (ansible.cfg)"
    if found.told.played:
        return "ansible stopped in the middle of the playbook"
    if _BY_SETTINGS.match(error):
        return "ansible could not do what its settings (ansible.cfg) ask for"
    return "ansible could not read the playbook"


def _our_trouble(code: int, found: Findings) -> str | None:
    """What ended ansible from outside; None if it ended by itself."""
    if code == LOG_UNWRITABLE:
        return f"the log could not be written{', since the disk is full' if found.disk_full else ''}"
    if code == INTERRUPTED:
        return "ansible was interrupted, not by Playcast"
    if code >= 0:
        return None
    name = f"signal {-code}"
    with suppress(ValueError):
        name = signal.Signals(-code).name
    memory = ", perhaps since memory ran out" if -code == signal.SIGKILL else ""
    return f"ansible was killed by {name}, not by Playcast{memory}"


def _by_recap(code: int, recap: Recap, hosts: Mapping[str, str], found: Findings) -> Outcome:
    """SUCCESS needs exit code 0, and each requested host named by a play, with no failure and all its plays ended."""
    all_hosts = {**hosts, **{host: plain(host, 64) for host in recap if host not in hosts and code}}
    # With exit code 0 the playbook has taken its hosts back after a failure: a recipe may say that this will do.
    counted = recap if code or found.expects is Expects.ALL else {}
    broken = [host for host in all_hosts if counted.get(host, {}).get("failed", 0)]
    lost = [host for host in all_hosts if counted.get(host, {}).get("unreachable", 0)]
    left = {host: why for host, why in found.told.unserved.items() if host in all_hosts and why in _LEFT and counted}
    blamed = _blamed(left, found) if not broken and not lost else []
    missing = _missing(recap, hosts, found)
    told = "; ".join(
        [
            *_grouped(((_failed(host, all_hosts, found), host) for host in broken), all_hosts),
            *_grouped(((_away(host, all_hosts, found), host) for host in [*lost, *blamed]), all_hosts),
            *_grouped(((_LEFT[why], host) for host, why in left.items() if host not in blamed), all_hosts),
            *_grouped(((Cause("no play names "), host) for host in missing), all_hosts),
        ]
    )
    if broken or lost:
        reason = FailureReason.PLAYBOOK_FAILED if broken else FailureReason.HOST_UNREACHABLE
        return _error(reason, told + _taken_back(code), code)
    if trouble := _our_trouble(code, found):
        return _error(FailureReason.WORKER_LOST, f"{trouble}, after the recap: {_THEN}", code)
    if code and not left:
        told = f"ansible ended with exit code {code}: {found.error or 'the log says why'}"
    elif missing:
        told += _why_missing(recap)
    elif not told and _nothing_done(recap, found):
        told = "nothing was done"
    return _error(FailureReason.PLAYBOOK_FAILED, told, code) if told else Outcome(JobStatus.SUCCESS, None, None, code)


def _blamed(left: Mapping[str, str], found: Findings) -> list[str]:
    """The hosts for whose sake a play ended early: `ignore_unreachable` does not keep `any_errors_fatal` from that."""
    return [host for host, why in left.items() if why == "ABORTED" and host in found.told.spared]


def _missing(recap: Recap, hosts: Mapping[str, str], found: Findings) -> list[str]:
    """The requested hosts that no play names, if that is an error."""
    missing = [host for host in hosts if host not in recap]
    counts = found.expects is Expects.ALL or (found.expects is Expects.SOME and len(missing) == len(hosts))
    return missing if counts else []


def _nothing_done(recap: Recap, found: Findings) -> bool:
    """Whether the tags of the call left no task to run."""
    return bool(found.told.unknown_tags) and not any(any(counters.values()) for counters in recap.values())


def _taken_back(code: int) -> str:
    """What to say of a failure that did not stop the playbook."""
    return "" if code else ", though the playbook went on to its end (a recipe may allow it: `expects: some`)"


def _failed(host: str, names: Mapping[str, str], found: Findings) -> Cause:
    trouble = found.told.failed.get(host)
    return failed(_named_delegate(trouble, names), _user(host, trouble, found))


def _away(host: str, names: Mapping[str, str], found: Findings) -> Cause:
    said = found.told.away.get(host) or found.told.spared.get(host)
    trouble, server_id = _named_delegate(said, names), host.removeprefix("srv-")
    return away(trouble, server_id, _user(host, said, found), found.pinned.get(host))


def _user(host: str, trouble: Trouble | None, found: Findings) -> str:
    """Who logs in where the trouble was."""
    if trouble is None:
        return found.users.get(host, "its user")
    if trouble.delegate is not None:
        return found.users.get(trouble.delegate, "its user")
    return trouble.user or found.users.get(host, "its user")


def _named_delegate(trouble: Trouble | None, names: Mapping[str, str]) -> Trouble | None:
    """With the names that people know servers by, where a task is delegated to some of the job."""
    if trouble is None or trouble.delegate is None:
        return trouble
    known = [names.get(name, name) for name in trouble.delegate.split(SEVERAL)]
    return replace(trouble, delegate=SEVERAL.join(known))


def _why_missing(recap: Recap) -> str:
    if list(recap) == ["localhost"]:
        return ": the playbook ran on localhost alone; does its `hosts:` name the servers?"
    return ": does the playbook's `hosts:` name a tag that is missing?"


def _grouped(causes: Iterable[tuple[Cause, str]], names: Mapping[str, str]) -> list[str]:
    """One sentence for each cause, with the names of its servers; the first few causes, and how many servers more."""
    groups: dict[Cause, list[str]] = {}
    for cause, host in causes:
        groups.setdefault(cause, []).append(names[host])
    told = [f"{cause.before}{_named(group)}{cause.after}" for cause, group in list(groups.items())[:_MOST_CAUSES]]
    if more := sum(len(group) for group in list(groups.values())[_MOST_CAUSES:]):
        told.append(f"{more} more for other reasons")
    return told


def _named(group: list[str]) -> str:
    more = len(group) - _MOST_NAMED
    names = ", ".join(group[:_MOST_NAMED])
    return f"{names} and {more} more" if more > 0 else names
