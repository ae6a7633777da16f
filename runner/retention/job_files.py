"""Removing what a job has left on this machine: never through a link, and only what was made for this very job."""

import os
import shutil
from contextlib import suppress

from runner.job_dir import JobDir


def alive(job_dir: JobDir) -> bool:
    """Whether the job's supervisor is there, whatever its row says."""
    try:
        return job_dir.held()
    except NotADirectoryError:
        return False


def remove_log(job_dir: JobDir) -> bool:
    """Remove the raw log, unless the directory is a link to somewhere else; whether there was one."""
    try:
        directory = os.open(job_dir.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        os.unlink(job_dir.log.name, dir_fd=directory)
    except FileNotFoundError:
        return False
    finally:
        os.close(directory)
    return True


def remove_directory(job_dir: JobDir) -> bool:
    """Remove the directory with all it holds, of a link the link alone; whether there was one."""
    if job_dir.path.is_symlink():
        job_dir.path.unlink()
        return True
    found = False
    while job_dir.path.exists():
        found = True
        # Two processes of one machine may be at it.
        with suppress(FileNotFoundError):
            shutil.rmtree(job_dir.path)
    return found
