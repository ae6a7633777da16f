"""The files below some directories: whether one has changed, and the digest of each, read once for each change."""

import ctypes
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

RELOOK_SECONDS = 10.0
"""How old a look may be that no event has outdated: a net below the kernel's events."""

Stamp = tuple[int, int, int]
"""What tells one version of a file from another: time of the last change in ns, bytes, inode."""

_EVENTS = 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800  # written, changed, moved, made, removed
_LIMIT = 65536
# Others, such as NFS, do not tell what another machine does.
_LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "overlay"}
_libc = ctypes.CDLL(None)


class FileTree:
    """The files below `root`/`parts`, links to directories not followed. Close it when done.

    `look` reads the file system, and belongs into a thread; `still` costs next to nothing. Where the kernel tells of
    changes nothing is looked at until it does; where it does not, each look goes through all files.
    """

    def __init__(self, root: Path, parts: Sequence[str]) -> None:
        self._root = root
        self._parts = parts
        self._stamps: dict[str, Stamp] | None = None
        self._digests: dict[str, tuple[Stamp, bytes]] = {}
        self._watch: int | None = None
        self._watched = False
        self._outdated = False
        self._looked_at = 0.0

    def still(self) -> bool:
        """Whether the last look still holds."""
        if self._stamps is None or not self._watched or time.monotonic() - self._looked_at > RELOOK_SECONDS:
            return False
        self._outdated = self._outdated or self._told()
        return not self._outdated

    def look(self) -> bool:
        """Look at every file; whether one has come, gone or changed since the last look."""
        self._looked_at = time.monotonic()
        # First: what happens while this looks is found by the next.
        self._begin_watch()
        self._outdated = False
        self._told()
        stamps: dict[str, Stamp] = {}
        for part in self._parts:
            self._walk(part, stamps)
        changed, self._stamps = stamps != self._stamps, stamps
        return changed

    def files(self, part: str) -> list[str]:
        """The paths below a part, relative to the root, sorted, as the last look found them."""
        return sorted(path for path in self._stamps or {} if path.startswith(f"{part}/"))

    def stamp(self, path: str) -> Stamp | None:
        """The stamp of a file at the last look; None if there was none."""
        return (self._stamps or {}).get(path)

    def digest(self, path: str) -> bytes:
        """The SHA-256 of a file's content; of one that cannot be read, of nothing."""
        stamp = self.stamp(path) or (0, 0, 0)
        known = self._digests.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, _digest(self._root / path))
            self._digests[path] = known
        return known[1]

    def forget_gone(self) -> None:
        """Drop the digests of files that are there no more."""
        self._digests = {path: known for path, known in self._digests.items() if self.stamp(path) is not None}

    def close(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            os.close(self._watch)
        self._watch, self._watched = None, False

    def _walk(self, part: str, stamps: dict[str, Stamp]) -> None:
        folder = f"{self._root}/{part}"
        if self._watch is not None and _libc.inotify_add_watch(self._watch, os.fsencode(folder), _EVENTS) < 0:
            # A part that is not there may come: whoever makes it changes the directory above.
            self._watched = self._watched and not Path(folder).is_dir()
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    self._walk(f"{part}/{entry.name}", stamps)
                    continue
                # It may have gone since the directory was read.
                with suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    stamps[f"{part}/{entry.name}"] = (found.st_mtime_ns, found.st_size, found.st_ino)

    def _begin_watch(self) -> None:
        """Watch the root, and with the walk all below. The kernel grants a user so many watches, and none elsewhere."""
        if self._watch is None and _is_local(self._root):
            watch = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            self._watch = watch if watch >= 0 else None
        self._watched = (
            self._watch is not None and _libc.inotify_add_watch(self._watch, os.fsencode(self._root), _EVENTS) >= 0
        )

    def _told(self) -> bool:
        """Whether the kernel has told of a change since this was asked last."""
        told = False
        with suppress(BlockingIOError):
            while self._watch is not None and os.read(self._watch, _LIMIT):
                told = True
        return told


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return hashlib.sha256().digest()


def _is_local(path: Path) -> bool:
    """Whether the kernel knows all that happens below `path`."""
    with suppress(OSError, ValueError):
        place = os.path.realpath(path)
        best = max((mount for mount in _mounts() if _below(place, mount[0])), key=lambda mount: len(mount[0]))
        return best[1] in _LOCAL
    return False


def _mounts() -> Iterator[tuple[str, str]]:
    """(mount point, kind of file system)."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        words, _, rest = line.partition(" - ")
        yield words.split()[4].encode().decode("unicode_escape"), rest.split()[0]


def _below(place: str, mount: str) -> bool:
    return mount in {"/", place} or place.startswith(f"{mount}/")
