"""What the system refuses, in words for a person: what the cause is, and what to do about it."""

import errno
import os

_WORDS = {
    errno.ENOSPC: "the disk is full: make room on it",
    errno.EDQUOT: "the disk quota is used up: make room, or raise the quota",
    errno.EFBIG: "the file may not grow any further: raise the limit (`ulimit -f`, or LimitFSIZE of the service)",
    errno.EMFILE: "too many open files: raise the limit (`ulimit -n`, or LimitNOFILE of the service)",
    errno.ENFILE: "too many open files on this machine: raise fs.file-max",
    errno.EAGAIN: "no further process or thread is allowed: raise the limit (`ulimit -u`, or TasksMax of the service)",
    errno.ENOMEM: "no memory is left: free some, set PLAYCAST_SLOTS lower, or raise the limit of the service",
    errno.EACCES: "permission denied: give this account (uid {uid}) access to it",
    errno.EPERM: "this is not permitted: give this account (uid {uid}) access to it",
    errno.EROFS: "the file system is read-only: mount it writable",
    errno.EIO: "the disk fails (input/output error): see the kernel's log",
    errno.ENOENT: "it does not exist: make it, or name another",
    errno.ENOTDIR: "a part of the path is not a directory: move that away, or name another path",
    errno.EEXIST: "something that is not a directory is in its place: move that away, or name another path",
    errno.EISDIR: "it is a directory: a file is needed there",
    errno.ELOOP: "its links lead in a circle: mend them",
    errno.ENAMETOOLONG: "the path is too long: name a shorter one",
    errno.ESTALE: "the file system has gone (stale file handle): mount it again",
    errno.ENOTCONN: "the file system has gone: mount it again",
}
# Where the file that the error names is not to blame.
_LIMITS = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}


def is_disk(error: OSError) -> bool:
    """Whether the disk, or the access to it, is to blame, and not what lies there."""
    return error.errno in _DISK


def is_limit(error: OSError) -> bool:
    """Whether too little is left of something that all share, such as processes, and no file or disk is to blame."""
    return error.errno in _LIMITS


def explained(error: OSError) -> str:
    """`path: cause: what to do`, in one line; without the path where that is not to blame."""
    words = _WORDS.get(error.errno or 0)
    said = words.format(uid=os.geteuid()) if words is not None else str(error.strerror or error)
    path = error.filename2 or error.filename
    shown = "" if path is None or is_limit(error) else f"{os.fsdecode(path)}: "
    return " ".join(f"{shown}{said}".split())


def in_a_line(error: Exception) -> str:
    """Why something does not run, in one line for a person."""
    if isinstance(error, OSError) and (is_limit(error) or is_disk(error)):
        return explained(error)
    return f"{type(error).__name__}: {error}"
