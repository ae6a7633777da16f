"""What a job's process starts with: its environment, and the settings for its ansible that its children do not inherit.

Both are built from nothing: none of the server's own variables reaches a playbook.
"""

import os
import pwd
import sys
from pathlib import Path

from runner.job_dir import JobDir
from runner.job_processes import MARK

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(ansible_dir: Path, job_dir: JobDir, scratch: str) -> dict[str, str]:
    """The environment of a job and of all that it starts. `scratch` is the job's own temporary directory."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{_PATH}",
        "HOME": _home(scratch),
        "LANG": "C.UTF-8",
        "TMPDIR": scratch,
        # Without it the lines of loops and retries come late.
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "ANSIBLE_CONFIG": str(ansible_dir / "ansible.cfg"),
        MARK: str(job_dir.path),
    }


def settings(job_dir: JobDir, scratch: str) -> dict[str, str]:
    """The settings of every job, by the names of their environment variables (ansible_hooks.py hands them over)."""
    return {
        "ANSIBLE_HOME": f"{scratch}/ansible",
        "ANSIBLE_LOCAL_TEMP": f"{scratch}/ansible/tmp",
        # Per job: a control socket shared between credentials would let one log in as the other.
        "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{scratch}/cp",
        # The two formats that Playcast writes.
        "ANSIBLE_INVENTORY_ENABLED": "yaml,ini",
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "1",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
        # The default mechanism would leave the password in shared memory after a kill.
        "ANSIBLE_SSH_PASSWORD_MECHANISM": "sshpass",
        "PLAYCAST_EVENTS": str(job_dir.events),
    }


def _home(scratch: str) -> str:
    """The account's own home; a container may run under a number that has no account."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return scratch
