"""Long queues: how soon the next job starts, and what a started job takes of the CPU.

One slot works without a pause: whoever measures keeps ten jobs in the queue that do nothing (`stand_in`). Behind
them others wait (`waiting.py`): for a slot; for a server that somebody holds; or all for the one server of these ten.
The next start is the time from the end of a job to the start of the next one, as both are stored. A queue of these ten
alone is what the longer ones are measured against.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from bench.rig.cluster import Several, since
from bench.rig.fill_waiting import FREE, KINDS
from bench.rig.server import ROOT, Process, Server
from bench.rig.table import compared, quantile

ROUNDS = 3
SIZES = (10, 1_000, 100_000)
SECONDS = 10.0
WINDOW = 10
_LEAST, _MOST = 6, 600
"""Jobs that must begin, and whose times are looked at."""
_RUN = "mutation($input: RunProvisionInput!) { runProvision(input: $input) { job { number } userErrors { message } } }"
_TIMES = "query($id: ID!) { job(id: $id) { startedAt endedAt } }"

Row = tuple[str, str]


@dataclass
class Found:
    """Of one run: milliseconds from each end to the next start, CPU seconds for each started job."""

    gaps: list[float]
    cpu: dict[str, float]


def rows() -> Iterator[Row]:
    """Each row of the table: what, and its figure."""
    for postgres in (True, False):
        for kind in KINDS:
            found: dict[int, list[Found]] = {size: [] for size in SIZES}
            for _ in range(ROUNDS):
                for size, runs in found.items():
                    runs.append(measured(kind, size, postgres=postgres, seconds=SECONDS))
            yield from table(found, f"{'PostgreSQL' if postgres else 'SQLite'}, {KINDS[kind]}")


def table(found: dict[int, list[Found]], what: str) -> Iterator[Row]:
    """The rows; each run is compared with the shortest queue of its round."""
    shortest = min(found)
    for size in list(found)[1:]:
        runs = list(zip(found[size], found[shortest], strict=True))
        for share in (0.5, 0.99):
            pairs = [(quantile(mine.gaps, share), quantile(base.gaps, share)) for mine, base in runs]
            name = f"{what}: {size:,} wait, end -> next start, p{share * 100:.0f}, against {shortest}"
            yield name, compared(pairs, " ms")
        for part in runs[0][0].cpu:
            pairs = [(mine.cpu[part] * 1e3, base.cpu[part] * 1e3) for mine, base in runs]
            yield f"  CPU of {part} per started job", compared(pairs, " ms")


def measured(kind: str, size: int, *, postgres: bool, seconds: float) -> Found:
    """One run, with processes and a database of its own."""
    with Several("nothing", postgres=postgres, PLAYCAST_SLOTS="1") as several:
        filling = [sys.executable, "-m", "bench.rig.fill_waiting", several.url, kind, str(size - WINDOW)]
        subprocess.run(filling, check=True, cwd=ROOT)
        server = several.serve()
        stream = Stream(server, several.work(1) if postgres else server, kind)
        stream.flow(1.0)
        before, first = several.cpu(), stream.begun()
        stream.flow(seconds)
        cpu, last = since(before, several.cpu()), stream.begun()
        jobs = stream.jobs()[first : last - 1]
        times = sorted(stream.times(job) for job in jobs[:_MOST])
    gaps = [(later[0] - earlier[1]).total_seconds() * 1000 for earlier, later in pairwise(times)]
    return Found(gaps, {part: spent / (last - first) for part, spent in cpu.items()})


class Stream:
    """Ten jobs in the queue at any time."""

    def __init__(self, server: Server, worker: Process, kind: str) -> None:
        self._server = server
        self._dir = worker.data_dir / "jobs"
        self._same = kind == "same"
        self._submitted = 0

    def flow(self, seconds: float) -> None:
        """Keep them coming for so long, and until some have begun, however slow the machine is."""
        least, until = self.begun() + _LEAST, time.monotonic() + seconds
        while time.monotonic() < until or self.begun() < least:
            if self._submitted - self.begun() < WINDOW:
                self._submit()
            else:
                time.sleep(0.002)

    def begun(self) -> int:
        """How many have begun: each leaves a directory."""
        return len(list(self._dir.iterdir())) if self._dir.exists() else 0

    def jobs(self) -> list[int]:
        """Their numbers, as they began."""
        return [int(path.name) for path in sorted(self._dir.iterdir(), key=lambda path: path.stat().st_ctime)]

    def times(self, job: int) -> tuple[datetime, datetime]:
        """When a job started and ended."""
        deadline = time.monotonic() + 60
        while (job_ := self._server.ask(_TIMES, id=str(job))["job"])["endedAt"] is None:
            assert time.monotonic() < deadline, job_
        return datetime.fromisoformat(job_["startedAt"]), datetime.fromisoformat(job_["endedAt"])

    def _submit(self) -> None:
        target = 1 if self._same else self._submitted % FREE + 1
        # Those that wait for the same server go first, in their order.
        order = {"recipe": "flood", "serverIds": [str(target)], "priority": int(not self._same)}
        assert not self._server.ask(_RUN, input=order)["runProvision"]["userErrors"]
        self._submitted += 1
