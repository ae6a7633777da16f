"""How a job ended, from what it left: exit codes alone lie, so a recap must confirm them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models import FailureReason, JobStatus
from runner.jobdir import JobDir

Recap = dict[str, dict[str, int]]
_MOST_NAMED = 5


@dataclass(frozen=True)
class Outcome:
    """The columns that become final together."""

    status: JobStatus
    reason: FailureReason | None
    message: str | None
    exit_code: int | None


def read_recap(job_dir: JobDir) -> Recap | None:
    """The last recap in `events.jsonl`; None if ansible never reached it."""
    try:
        lines = job_dir.events.read_bytes().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            event = json.loads(line)
        except ValueError:
            continue  # a line cut off by a kill
        if isinstance(event, dict) and event.get("kind") == "recap":
            recap: Recap = event["hosts"]
            return recap
    return None


def judge(end: dict[str, Any] | None, recap: Recap | None, hosts: Mapping[str, str]) -> Outcome:
    """The outcome of a job whose supervisor is gone.

    `end` is exit.json (None if it was never written), `hosts` maps each requested host to its server's name.
    """
    if end is None:
        message = "the job's processes were killed, or the machine stopped: it is not known how far it came"
        return Outcome(JobStatus.ERROR, FailureReason.WORKER_LOST, message, None)
    code = int(end["code"])
    if end["reason"] == "canceled":
        return Outcome(JobStatus.CANCELED, None, "canceled", code)
    if end["reason"] == "timeout":
        return Outcome(JobStatus.ERROR, FailureReason.TIMEOUT, str(end["message"]), code)
    if end["reason"] == "exec_failed":
        return Outcome(JobStatus.ERROR, FailureReason.LAUNCH_FAILED, str(end["message"]), code)
    return _judge_recap(code, recap, hosts)


def _judge_recap(code: int, recap: Recap | None, hosts: Mapping[str, str]) -> Outcome:
    def error(reason: FailureReason, message: str) -> Outcome:
        return Outcome(JobStatus.ERROR, reason, message, code)

    if recap is None:
        message = "ansible ended without a recap: the log says why"
        if code < 0:
            message = f"ansible was killed by signal {-code}"
        elif code:
            message = f"ansible could not run the playbook (exit code {code}): the log says why"
        return error(FailureReason.PLAYBOOK_FAILED, message)
    failed = [host for host in hosts if recap.get(host, {}).get("failed", 0)]
    away = [host for host in hosts if recap.get(host, {}).get("unreachable", 0)]
    missing = [host for host in hosts if host not in recap]
    told = "; ".join(
        f"{what} {_named(group, hosts)}"
        for what, group in (("failed on", failed), ("could not reach", away), ("no task ran on", missing))
        if group
    )
    if failed:
        return error(FailureReason.PLAYBOOK_FAILED, told)
    if away:
        return error(FailureReason.HOST_UNREACHABLE, told)
    if missing:
        return error(FailureReason.PLAYBOOK_FAILED, f"{told}: does the playbook's `hosts:` name a tag that is missing?")
    if code:
        return error(FailureReason.PLAYBOOK_FAILED, f"ansible ended with exit code {code}: the log says why")
    return Outcome(JobStatus.SUCCESS, None, None, code)


def _named(group: list[str], hosts: Mapping[str, str]) -> str:
    names = ", ".join(hosts[host] for host in group[:_MOST_NAMED])
    more = len(group) - _MOST_NAMED
    return f"{names} and {more} more" if more > 0 else names
