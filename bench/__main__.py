"""Print the table: `python -m bench [PART…]`."""

import sys

from bench.parts import (
    backlog,
    beside,
    cancel,
    events_path,
    fan_out,
    idle,
    job_path,
    log_floor,
    log_path,
    page,
    read_path,
    recovery,
    start_path,
    workers,
)

PARTS = {
    "job": job_path.rows,
    "log": log_path.rows,
    "floor": log_floor.rows,
    "events": events_path.rows,
    "cancel": cancel.rows,
    "recovery": recovery.rows,
    "read": read_path.rows,
    "queue": start_path.rows,
    "backlog": backlog.rows,
    "fanout": fan_out.rows,
    "workers": workers.rows,
    "idle": idle.rows,
    "beside": beside.rows,
    "page": page.rows,
}


def main() -> None:
    """Measure the named parts, or all."""
    wanted = sys.argv[1:] or list(PARTS)
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        sys.exit(f"bench: there is no part {unknown[0]}; the parts are {', '.join(PARTS)}")
    for name in wanted:
        for what, figure in PARTS[name]():
            print(f"{what:<84} {figure}", flush=True)


if __name__ == "__main__":
    main()
