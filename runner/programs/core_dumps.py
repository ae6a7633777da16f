"""No memory of a process in a file: a core dump would hold every secret that the process knew."""

import contextlib
import resource
from pathlib import Path


def forbid_core_dumps() -> None:
    """For this process and all that it starts, whatever was allowed before; only root can allow it again."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Where the kernel hands dumps to a program, that program alone decides whether the limit counts. It gets no memory.
    with contextlib.suppress(OSError):
        Path("/proc/self/coredump_filter").write_text("0", encoding="ascii")
