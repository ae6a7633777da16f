"""Long queues: how soon the next job starts, and what each started job takes of the CPU."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from bench.server import ROOT, Process, Server
from bench.several import Several, since
from bench.spread import quantile, spread
from bench.waiting import FREE, KINDS

ROUNDS = 3
SIZES = (10, 1_000, 100_000)
SECONDS = 16.0
WINDOW = 10
_RUN = "mutation($input: RunProvisionInput!) { runProvision(input: $input) { job { number } userErrors { message } } }"
_TIMES = "query($id: ID!) { job(id: $id) { status startedAt endedAt } }"


@dataclass
class Taken:
    gaps: list[float]
    jobs: int
    cpu: dict[str, float]


def measured(kind: str, size: int, *, postgres: bool, seconds: float) -> Taken:
    with Several("nothing", postgres=postgres, PLAYCAST_SLOTS="1") as several:
        subprocess.run([sys.executable, "-W", "ignore", "-m", "bench.waiting", several.url, kind, str(size - WINDOW)], check=True, cwd=ROOT)
        began = time.monotonic()
        server = several.serve()
        print("serve", time.monotonic() - began)
        worker: Process = several.work(1) if postgres else server
        print("work", time.monotonic() - began)
        jobs_dir = worker.data_dir / "jobs"
        submitted = []
        def launched():
            return len(os.listdir(jobs_dir)) if jobs_dir.exists() else 0
        def submit():
            target = 1 if kind == "same" else len(submitted) % FREE + 1
            submitted.append(int(server.ask(_RUN, input={"recipe": "flood", "serverIds": [str(target)], "priority": 0 if kind == "same" else 1})["runProvision"]["job"]["number"]))
        while len(submitted) - launched() < WINDOW: submit()
        while launched() < 5: 
            time.sleep(.005)
        print("first", time.monotonic() - began)
        before, first, start = several.cpu(), launched(), time.monotonic()
        while time.monotonic() - start < seconds:
            if len(submitted) - launched() < WINDOW: submit()
            else: time.sleep(.002)
        cpu, last = since(before, several.cpu()), launched()
        ids = sorted((int(n) for n in os.listdir(jobs_dir)), key=lambda n: os.stat(jobs_dir/str(n)/"spec.json").st_mtime)[first:last-2]
        t = [server.ask(_TIMES, id=str(n))["job"] for n in ids[:300]]
        t = sorted(( (datetime.fromisoformat(x["startedAt"]), x["endedAt"] and datetime.fromisoformat(x["endedAt"])) for x in t), key=lambda x:x[0])
        gaps = [(b[0]-a[1]).total_seconds()*1000 for a,b in zip(t,t[1:])]
        return Taken(gaps, last-first, cpu)

if __name__ == "__main__":
    kind, size, pg, secs = sys.argv[1], int(sys.argv[2]), sys.argv[3]=="pg", float(sys.argv[4])
    t = measured(kind, size, postgres=pg, seconds=secs)
    g = sorted(t.gaps)
    print(kind, size, "pg" if pg else "sqlite", "jobs", t.jobs, "gap p50 %.1f p99 %.1f max %.1f" % (g[len(g)//2], g[int(len(g)*.99)], g[-1]), {k: "%.1f ms" % (v/t.jobs*1000) for k,v in t.cpu.items()})
