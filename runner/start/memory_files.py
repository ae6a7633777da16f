"""Files that exist in memory only: how secrets reach a child process."""

import fcntl
import os


def sealed(name: str, content: bytes) -> int:
    """The descriptor of an anonymous file that holds `content` and can no longer be changed; the caller closes it.

    It stands at the start: opened by its name it would in any case, but a descriptor shares its place with its copies.
    """
    handle = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    # Not executable: ansible would try to run an executable inventory.
    os.fchmod(handle, 0o400)
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
    fcntl.fcntl(handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    os.lseek(handle, 0, os.SEEK_SET)
    return handle
