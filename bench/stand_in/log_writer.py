"""Writes the logs of many jobs from one process: `python -m bench.stand_in.log_writer DATA_DIR JOBS WRITES RATE`.

It stands where the supervisors of all these jobs stand (supervisor.py), says `ready` when each of them has begun,
and begins when the file `begin` is there. Each job gets RATE writes a second, seven lines of 60 bytes each as
ansible.py writes them, and is out of step with the others.
"""

import json
import os
import sys
import time
from pathlib import Path

from bench.rig.watchers import LINE
from bench.stand_in.supervisor import PEN, end
from runner.job_processes import start_time, this_boot

BURST = 7
SIZE = BURST * LINE
"""Bytes of a write."""


def main() -> None:
    """Write, and end all jobs together."""
    data_dir, jobs, writes, rate = Path(sys.argv[1]), *map(int, sys.argv[2:])
    identity = {"supervisor": {"pid": os.getpid(), "start": start_time(os.getpid())}, "boot_id": this_boot()}
    (data_dir / PEN).write_text(json.dumps(identity))
    while len(begun := sorted((data_dir / "jobs").glob("*/run.json"))) < jobs:
        time.sleep(0.1)
    print("ready", flush=True)
    while not (data_dir / "begin").exists():
        time.sleep(0.05)
    logs = [os.open(file.with_name("ansible.log"), os.O_WRONLY | os.O_APPEND) for file in begun]
    start = time.monotonic()
    for number in range(writes):
        for at, log in enumerate(logs):
            time.sleep(max(0.0, start + (number + at / jobs) / rate - time.monotonic()))
            now = time.time_ns()
            lines = range(number * BURST, (number + 1) * BURST)
            os.write(log, b"".join(b"%08d %d %s\n" % (line, now, b"." * 30) for line in lines))
    for file in begun:
        end(file.parent)


if __name__ == "__main__":
    main()
