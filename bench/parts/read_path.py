"""Reading: pages of a 1 GiB log, one job, lists with nested fields and with filters, against bare handlers."""

import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from bench.rig.fill_history import BIG_LOG, BLOCK, BLOCKS, SMALL, SMALL_CHUNKS, SMALLS
from bench.rig.postgres import throwaway_postgres
from bench.rig.server import ROOT, Server, flood_ansible_dir
from bench.rig.table import spread

ROUNDS = 5
FREE_BYTES = 5 * 2**30
TARGET_MS = 20
FIELDS = "id number recipeName status failureReason exitCode requestedBy createdAt startedAt endedAt logSize lineCount"
ONE = f"query($id: ID!) {{ job(id: $id) {{ {FIELDS} }} }}"
FIFTY = f"{{ jobs(first: 50) {{ nodes {{ {FIELDS} hosts {{ name ok changed failed server {{ name host }} }} }} }} }}"
PAGE = "query($id: ID!, $after: String, $last: Boolean) { job(id: $id) { log(after: $after, last: $last) { %s } } }"
LIST = "query($filter: JobFilter) { jobs(first: 50, filter: $filter) { nodes { number status } } }"
FILTERS: dict[str, dict[str, object]] = {
    "a rare status": {"status": ["CANCELED"]},
    "two states": {"status": ["ERROR", "CANCELED"]},
    "a rare recipe": {"recipe": "rare"},
    "a rare caller": {"requestedBy": "rare"},
    "a server with few jobs": {"serverId": "20000"},
    "a server with half of all jobs": {"serverId": "1"},
    "an early day": {"createdBefore": "2026-01-02T00:00:00Z"},
    "recipe and rare status": {"recipe": "base", "status": ["CANCELED"]},
}
Row = tuple[str, str]


@dataclass
class Client:
    """One connection that stays open."""

    server: Server

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(self.server.url).netloc, timeout=60)

    def get(self, path: str, **headers: str) -> bytes:
        """The body of an answer."""
        return self._asked("GET", path, None, headers)

    def ask(self, query: str, **variables: object) -> bytes:
        """The body of GraphQL's answer, which has no errors."""
        body = json.dumps({"query": query, "variables": variables})
        answer = self._asked("POST", "/graphql", body, {"Content-Type": "application/json"})
        assert b'"errors"' not in answer[:200], answer[:500]
        return answer

    def _asked(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> bytes:
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        answer = response.read()
        assert response.status in {200, 206}, answer
        return answer

    def cpu(self, call: Callable[[], bytes], times: int) -> float:
        """CPU seconds of the server for one call."""
        call()
        before = self.server.cpu()
        for _ in range(times):
            call()
        return (self.server.cpu() - before) / times

    def wall(self, call: Callable[[], bytes], times: int = 15) -> float:
        """Milliseconds of one call, the median."""
        spent = []
        for _ in range(times):
            began = time.perf_counter()
            call()
            spent.append((time.perf_counter() - began) * 1000)
        return sorted(spent)[times // 2]


def rows() -> list[Row]:
    """Each row of the table: what, and its figure."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < FREE_BYTES:
            return [("pages of a 1 GiB log", f"not measured: {folder.parent} has less than 5 GiB free")]
        file = folder / "ansible.log"
        sqlite = folder / "sqlite" / "data" / "playcast.sqlite3"
        with _both(folder / "sqlite", f"sqlite://{sqlite}", file) as (ours, bare):
            found = [*_pages(ours, bare), *_jobs("SQLite", ours, bare), *_filters("SQLite", ours)]
        file.unlink()
        sqlite.unlink()
        # Its server runs as somebody else, who must be able to come by.
        folder.chmod(0o755)
        server = throwaway_postgres(folder / "pg")
        try:
            with _both(folder / "postgres", server.get_uri(), None) as (ours, bare):
                return [*found, *_jobs("PostgreSQL", ours, bare), *_filters("PostgreSQL", ours)]
        finally:
            server.cleanup()


@contextmanager
def _both(folder: Path, url: str, file: Path | None) -> Iterator[tuple[Client, Client]]:
    """Playcast and the bare handlers, each in a process of its own, on one filled database."""
    folder.mkdir()
    ansible_dir = flood_ansible_dir(folder)
    filling = [sys.executable, "-m", "bench.rig.fill_history", url, *([str(file)] if file else [])]
    subprocess.run(filling, check=True, cwd=ROOT)
    module = f"bench.baseline.bare_reads {url} {file}"
    with (
        Server(folder, PLAYCAST_ANSIBLE_DIR=str(ansible_dir), PLAYCAST_DATABASE_URL=url) as ours,
        Server(folder, module) as bare,
    ):
        yield Client(ours), Client(bare)


def _pages(ours: Client, bare: Client) -> list[Row]:
    size = BLOCK * BLOCKS
    text = PAGE % "chunks { text } cursor"
    of_file = [f"/log?start={start}&size={BLOCK}" for start in (0, size // 2 + 12345, size - BLOCK)]
    asked: dict[str, tuple[Callable[[], bytes], str]] = {
        "first page": (lambda: ours.ask(text, id=BIG_LOG), of_file[0]),
        "page from the middle of a chunk": (
            lambda: ours.ask(text, id=BIG_LOG, after=f"{size // 2 + 12345}"),
            of_file[1],
        ),
        "last page": (lambda: ours.ask(text, id=BIG_LOG, last=True), of_file[2]),
        "last 64 KiB by Range": (
            lambda: ours.get(f"/ansible/jobs/{BIG_LOG}/log", Range=f"bytes=-{BLOCK}"),
            of_file[2],
        ),
        "last page of 40 MB in chunks of 100 bytes": (lambda: ours.ask(text, id=SMALL_CHUNKS, last=True), of_file[2]),
        "middle page of these": (lambda: ours.ask(text, id=SMALL_CHUNKS, after=str(SMALLS * SMALL // 2)), of_file[1]),
    }
    found = []
    for what, (call, path) in asked.items():
        assert len(call()) > BLOCK // 2, what
        pairs = [(ours.wall(call), bare.wall(partial(bare.get, path))) for _ in range(ROUNDS)]
        figure = f"{spread([ms for ms, _ in pairs], ' ms', 1)}; {spread([ms / least for ms, least in pairs], 'x', 1)}"
        found.append((f"1 GiB log, {what}; against a file", figure))
    found.append((f"  the target of each: {TARGET_MS} ms", ""))
    return found


def _jobs(database: str, ours: Client, bare: Client) -> list[Row]:
    one, fifty = [], []
    for _ in range(ROUNDS):
        one.append(ours.cpu(lambda: ours.ask(ONE, id="777"), 200) / bare.cpu(lambda: bare.get("/job/777"), 200))
        fifty.append(ours.cpu(lambda: ours.ask(FIFTY), 20) / bare.cpu(lambda: bare.get("/jobs"), 100))
    return [
        (f"CPU of job(id), {database}, against a bare handler with the same SELECT", spread(one)),
        (f"CPU of jobs(first: 50) with hosts and servers, {database}, against one bare JOIN", spread(fifty)),
    ]


def _filters(database: str, ours: Client) -> list[Row]:
    ratios: dict[str, list[float]] = {what: [] for what in FILTERS}
    for _ in range(ROUNDS):
        plain = ours.wall(lambda: ours.ask(LIST))
        for what, chosen in FILTERS.items():
            ratios[what].append(ours.wall(partial(ours.ask, LIST, filter=chosen)) / plain)
    return [
        (f"100,000 jobs, {database}: page by {what}, against the newest of all", spread(found))
        for what, found in ratios.items()
    ]
