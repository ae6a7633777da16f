"""Stands where ansible-playbook stands, and prints: so that only the path of a log line is measured.

Takes its orders from the job's extra variables (`vars.yml`): `lines`, and `rate` lines a second (0: as fast as it
can). With `wait` it begins when the file `begin` is in the data directory; with `hold` it prints them once more when
the file `more` is there, and ends with the file `go`.
One write per line, as ansible does, but straight into the log: what masking takes counts as ansible's own. Run without
a job (`stand_in/ansible.py LINES RATE`), it is its own baseline.
"""

import json
import os
import re
import resource
import sys
import time
from pathlib import Path


def main() -> None:
    """Print, then leave the recap and the CPU seconds this took beside the log."""
    if len(sys.argv) == 3 and sys.argv[1].isdigit():
        orders = {"lines": int(sys.argv[1]), "rate": int(sys.argv[2])}
    else:
        orders = {name: int(number) for name, number in re.findall(r'"(\w+)": (\d+)', Path("vars.yml").read_text())}
    if orders.get("wait"):
        wait_for("begin")
    emit(orders["lines"], orders["rate"])
    if orders.get("hold"):
        wait_for("more")
        emit(orders["lines"], orders["rate"])
        wait_for("go")
    used = resource.getrusage(resource.RUSAGE_SELF)
    Path("printer.json").write_text(json.dumps({"cpu": used.ru_utime + used.ru_stime}))
    if "PLAYCAST_JOB" in os.environ:
        hosts = re.findall(r"^srv-\d+", Path("hosts.ini").read_text(), re.MULTILINE)
        counts = {
            "ok": 1,
            "changed": 0,
            "failed": 0,
            "skipped": 0,
            "unreachable": 0,
            "rescued": 0,
            "ignored": 0,
        }
        about = {"kind": "recap", "at": "2026-01-01T00:00:00Z", "log_offset": 0}
        event = {**about, "hosts": dict.fromkeys(hosts, counts)}
        Path("events.jsonl").write_text(json.dumps(event) + "\n")


def wait_for(name: str) -> None:
    """Wait until the data directory holds such a file."""
    while not (Path("../..") / name).exists():
        time.sleep(0.05)


def emit(lines: int, rate: int) -> None:
    """Lines of 60 bytes: number, time in nanoseconds since the epoch, padding."""
    start = time.monotonic()
    for number in range(lines):
        if rate:
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
        os.write(1, b"%08d %d %s\n" % (number, time.time_ns(), b"." * 30))


if __name__ == "__main__":
    main()
