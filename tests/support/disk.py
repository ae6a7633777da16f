"""A small disk of its own for a test, to fill it up."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    """A file system of `size` (as mount takes it: 300k, 1m) at `path`; the test is skipped where none can be made."""
    path.mkdir()
    mount(["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)])
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextmanager
def bound(there: Path, here: Path) -> Iterator[Path]:
    """The file or directory `there`, mounted at `here` as well; the test is skipped where that cannot be done."""
    if there.is_dir():
        here.mkdir(exist_ok=True)
    else:
        here.touch()
    mount(["--bind", str(there), str(here)])
    try:
        yield here
    finally:
        subprocess.run(["umount", "--lazy", str(here)], check=True)


def mount(arguments: list[str]) -> None:
    """Call `mount`; the test is skipped where this account may not."""
    mounted = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if mounted.returncode:
        reason = f"this cannot be mounted: {mounted.stderr.strip()}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
