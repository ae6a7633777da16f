"""Files that are made once and trusted ever after: they appear with their whole content, or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def made_whole(file: Path) -> Iterator[Path]:
    """An empty draft to fill, mode 0600; it becomes `file` at the end of the context, unless there is one by then.

    The content is on the disk before the name is. OSError leaves nothing behind.
    """
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}.new")
    try:
        _make(draft, file)
        yield draft
        _sync(draft)
        # Not a rename: of two that make the file at the same time, both must go on with the same one.
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)
    # Some file systems know no way to write a directory out.
    with suppress(OSError):
        _sync(file.parent)


def _make(draft: Path, file: Path) -> None:
    try:
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        # The name of the draft says nothing to a person.
        raise OSError(error.errno, error.strerror, str(file)) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
