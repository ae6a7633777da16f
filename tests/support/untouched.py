"""What a refused request must leave behind: nothing."""

from pathlib import Path

import psutil

from models import JobHost, ProvisionJob, Server


async def assert_untouched(data_dir: Path, *, servers: int = 0, jobs: int = 0) -> None:
    """Exactly so many rows as before, and where there is no job, no job directory and no process."""
    assert await Server.all().count() == servers
    assert await ProvisionJob.all().count() == jobs
    if not jobs:
        assert await JobHost.all().count() == 0
        assert not any((data_dir / "jobs").glob("*"))
    assert processes_of(data_dir) == [] or jobs


def stored_bytes(directory: Path) -> bytes:
    """The content of every file below a directory."""
    return b"".join(file.read_bytes() for file in sorted(directory.rglob("*")) if file.is_file())


def processes_of(data_dir: Path) -> list[list[str]]:
    """The command lines of every process that a job of this data directory has left."""
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if any(str(data_dir) in part for part in line)]
