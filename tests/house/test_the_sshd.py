"""The sshd that tests start ends what is its own, and nothing else."""

import subprocess

from tests.support.sshd import UNSHARE, Namespace, require_sshd

SLEEP = [*UNSHARE, "sh", "-c", "echo ready; exec sleep 60"]


def started() -> subprocess.Popen[bytes]:
    """A process in a mount namespace of its own."""
    process = subprocess.Popen(SLEEP, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_it_never_ends_processes_of_another_that_was_started_later() -> None:
    require_sshd()
    with started() as one:
        mine = Namespace(one.pid)
        assert mine.members() == [one.pid]
        mine.empty()
        one.wait()
        # Here the number of the first namespace would be another's, if it were not held.
        with started() as other:
            assert mine.members() == []
            other.kill()
        mine.close()
