"""How long `/healthz` and an honest query wait beside the dearest operations that are allowed, and refused ones."""

import http.client
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench.rig.server import ROOT, Server, flood_ansible_dir
from bench.rig.table import quantile

SECONDS = 10.0
EACH_SECONDS = 0.02
TARGET_MS = 50
TARGET_QUERY_MS = 100
ATTACKS = (
    "lists in lists",
    "lists of hosts",
    "lists in lists on sockets",
    "events",
    "types of types",
    "unread answers of logs",
    "expanding fragments",
    "the same field",
    "unknown fields",
    "many ids",
)
QUERY = b'{"query": "{ viewer { name } }"}'
Row = tuple[str, str]


class Honest(threading.Thread):
    """Asks the same again and again on one connection, until it is told to stop."""

    def __init__(self, url: str, method: str, path: str, body: bytes | None) -> None:
        super().__init__()
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._asked = method, path, body
        self.enough = threading.Event()
        self.waits: list[float] = []

    def run(self) -> None:
        """Ask."""
        while not self.enough.wait(EACH_SECONDS):
            before = time.perf_counter()
            self._connection.request(*self._asked, {"Content-Type": "application/json"})
            assert self._connection.getresponse().read()
            self.waits.append((time.perf_counter() - before) * 1000)
        self._connection.close()


def rows() -> list[Row]:
    """Each row of the table: what, and its figure."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        data = folder / "server" / "data"
        data.mkdir(parents=True)
        filling = [sys.executable, "-m", "tests.support.plenty", f"sqlite://{data}/playcast.sqlite3"]
        subprocess.run(filling, check=True, cwd=ROOT)
        ansible_dir = flood_ansible_dir(folder)
        with Server(folder / "server", "playcast serve", PLAYCAST_ANSIBLE_DIR=str(ansible_dir)) as server:
            alone = _waits(server, None)
            found = [_row("alone, the baseline", alone, server.rss())]
            found += [_row(f"beside {attack}", _waits(server, attack), server.rss()) for attack in ATTACKS]
    return [*found, (f"  the targets: {TARGET_MS} ms, and {TARGET_QUERY_MS} ms of a query", "")]


def _row(what: str, waits: tuple[list[float], list[float]], rss: int) -> Row:
    health, query = ((quantile(one, 0.5), quantile(one, 0.99), max(one)) for one in waits)
    told = "; ".join(
        f"{name} p50 {half:.0f}, p99 {most:.0f}, max {worst:.0f} ms"
        for name, (half, most, worst) in (("/healthz", health), ("query", query))
    )
    return f"honest clients {what}", f"{told}; server {rss / 2**20:.0f} MiB"


def _waits(server: Server, attack: str | None) -> tuple[list[float], list[float]]:
    """Milliseconds of `/healthz` and of a query, while others attack."""
    clients = Honest(server.url, "GET", "/healthz", None), Honest(server.url, "POST", "/graphql", QUERY)
    address = urlsplit(server.url)
    words = [sys.executable, "-m", "tests.support.attackers", attack or "", str(address.hostname), str(address.port)]
    attacking = subprocess.Popen([*words, f"{SECONDS}"], cwd=ROOT, stdout=subprocess.PIPE) if attack else None
    if attacking is not None:
        # It makes ready what it sends.
        time.sleep(2)
    for client in clients:
        client.start()
    time.sleep(SECONDS - 2)
    for client in clients:
        client.enough.set()
        client.join()
    if attacking is not None:
        attacking.wait(120)
    return clients[0].waits, clients[1].waits
