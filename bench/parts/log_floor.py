"""The floor of the path of a log line: the same work on the same bytes, without anything around it.

A bare program, and beside it the CPU of: reading its log every 15 ms, `sqlite3` alone storing that with Playcast's
schema and pragmas, moving the write-ahead log, writing JSON, and a bare socket that takes it.
"""

import asyncio
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.parts.log_path import LINES, bare
from bench.rig.server import ROOT
from bench.rig.table import spread
from gql.json_text import encode_text
from models import JobStatus, ProvisionJob
from models.chunk import MAX_BYTES
from playcast.settings import file_of
from playcast.storage.database import SQLITE, migrate, opened
from playcast.storage.wal_checkpoint import EVERY_SECONDS
from runner.log.tail import POLL_SECONDS

ROUNDS = 5
# So many come in 15 ms of a flood.
CHUNKS = 6
_MOVE = "UPDATE provision_job SET log_size = ?, line_count = ? WHERE id = 1 AND fence = 0 AND log_size = ?"
_ADD = "INSERT INTO log_chunk (job_id, start, first_line, data, emitted_at) VALUES (1, ?, ?, ?, ?)"
_TAKE = "import socket, sys\ntaking = socket.create_connection(sys.argv[1:])\nwhile taking.recv(1 << 20):\n    pass"


def rows() -> Iterator[tuple[str, str]]:
    """Each row of the table: what, and its figure."""
    ratios: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            program, _ = bare(Path(name))
            command = [sys.executable, "-m", "bench.parts.log_floor", name]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT)
        parts: dict[str, float] = json.loads(done.stdout)
        for part, cpu in [*parts.items(), ("all of it", sum(parts.values()))]:
            ratios.setdefault(part, []).append(cpu / program)
    for part, found in ratios.items():
        yield f"floor of {LINES:,} lines, {part}: CPU added to `> file`", spread(found)


def main(folder: Path) -> None:
    """Take `bare.log` through all parts, and print the CPU seconds of each."""
    url = f"sqlite://{folder / 'db.sqlite3'}"
    asyncio.run(_fill(url))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taking = subprocess.Popen([sys.executable, "-c", _TAKE, *map(str, listening.getsockname())])
        here, _ = listening.accept()
    over, spent = threading.Event(), {"reading it": 0.0, "storing": 0.0, "the write-ahead log": 0.0}
    moving = threading.Thread(target=_move, args=(file_of(url), over, spent))
    moving.start()
    _copy(_connected(url), here, folder / "bare.log", spent)
    over.set()
    moving.join()
    here.close()
    taking.wait()
    print(json.dumps(spent))


async def _fill(url: str) -> None:
    await migrate(url)
    async with opened(url):
        await ProvisionJob.create(
            recipe="flood", revision="1", status=JobStatus.RUNNING, tags=[], skip_tags=[],
            timeout_seconds=60, requested_by="bench",
        )  # fmt: skip


def _connected(url: str) -> sqlite3.Connection:
    connection = sqlite3.connect(file_of(url), isolation_level=None)
    for name, value in SQLITE.items():
        connection.execute(f"PRAGMA {name}={value}")
    return connection


def _copy(connection: sqlite3.Connection, here: socket.socket, log: Path, spent: dict[str, float]) -> None:
    fd, size, line = os.open(log, os.O_RDONLY), 0, 0
    total = os.fstat(fd).st_size
    while size < total:
        marks = [time.thread_time()]
        now, before = datetime.now(UTC).isoformat(), size
        added: list[tuple[int, int, bytes, str]] = []
        while len(added) < CHUNKS and size < total:
            data = os.pread(fd, MAX_BYTES, size)
            added.append((size, line + 1, data, now))
            size += len(data)
            line += data.count(b"\n")
        marks.append(time.thread_time())
        connection.execute("BEGIN IMMEDIATE")
        assert connection.execute(_MOVE, (size, line, before)).rowcount == 1
        connection.executemany(_ADD, added)
        connection.execute("COMMIT")
        marks.append(time.thread_time())
        texts = [encode_text(data) for _, _, data, _ in added]
        marks.append(time.thread_time())
        for text in texts:
            here.sendall(text)
        marks.append(time.thread_time())
        for number, part in enumerate(("reading it", "storing", "JSON", "sending")):
            spent[part] = spent.get(part, 0.0) + marks[number + 1] - marks[number]
        time.sleep(POLL_SECONDS)
    os.close(fd)
    connection.close()


def _move(file: Path, over: threading.Event, spent: dict[str, float]) -> None:
    while not over.wait(EVERY_SECONDS):
        connection = sqlite3.connect(file, isolation_level=None)
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.close()
    spent["the write-ahead log"] = time.thread_time()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
