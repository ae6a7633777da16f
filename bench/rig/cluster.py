"""Servers and workers that share a database, each a process of its own, and what each of them takes of the CPU."""

import shutil
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import psutil
from cryptography.fernet import Fernet

from bench.rig.postgres import throwaway_postgres
from bench.rig.server import Process, Server, flood_ansible_dir

_KEY = Fernet.generate_key().decode()


class Postgres:
    """A PostgreSQL of its own with the wheel's settings: durable commits, 128 MB of buffers, 100 connections."""

    def __init__(self, folder: Path) -> None:
        self._server = throwaway_postgres(folder)
        self.url = self._server.get_uri()
        self._postmaster = psutil.Process(self._server.get_pid())

    def cpu(self) -> float:
        """CPU seconds so far of all its processes, those that have ended too."""
        own = self._postmaster.cpu_times()
        living = []
        for child in self._postmaster.children():
            # One that has ended since is counted below.
            with suppress(psutil.NoSuchProcess):
                living.append(child.cpu_times())
        ended = own.user + own.system + own.children_user + own.children_system
        return float(ended + sum(times.user + times.system for times in living))

    def end(self) -> None:
        """Stop it."""
        self._server.cleanup()


class Several:
    """A database in a room of its own, and the processes on it; all end with the context.

    `place` is what `stand_in/serve.py` puts in the place of ansible. Without PostgreSQL the one server works as well.
    """

    def __init__(self, place: str, *, postgres: bool = True, **environment: str) -> None:
        # As another account PostgreSQL must be able to come by.
        self.room = Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))
        self.room.chmod(0o755)
        self.servers: list[Server] = []
        self.workers: list[Process] = []
        self._place = place
        self._opened = ExitStack()
        self._opened.callback(shutil.rmtree, self.room, ignore_errors=True)
        self.postgres = Postgres(self.room / "postgres") if postgres else None
        if self.postgres is not None:
            self._opened.callback(self.postgres.end)
        self.url = self.postgres.url if self.postgres is not None else f"sqlite://{self.room}/playcast.sqlite3"
        self._environment = {
            "PLAYCAST_DATABASE_URL": self.url,
            "PLAYCAST_SECRET_KEY": _KEY,
            "PLAYCAST_ANSIBLE_DIR": str(flood_ansible_dir(self.room)),
            "PLAYCAST_LAUNCHER": "cold",
            **environment,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def serve(self, **environment: str) -> Server:
        """One more server."""
        folder = self.room / f"server-{len(self.servers)}"
        chosen = {**self._environment, **environment}
        server = Server(folder, f"bench.stand_in.serve {self._place}", True, **chosen)  # noqa: FBT003 (quiet)
        self.servers.append(self._opened.enter_context(server))
        return server

    def work(self, slots: int) -> Process:
        """One more worker."""
        name = f"worker-{len(self.workers)}"
        chosen = {"PLAYCAST_WORKER": name, "PLAYCAST_SLOTS": str(slots), **self._environment}
        worker = Process(self.room / name, f"bench.stand_in.serve worker {self._place}", True, **chosen)  # noqa: FBT003 (quiet)
        self.workers.append(self._opened.enter_context(worker))
        return worker

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far of servers, of workers and of PostgreSQL; not of the jobs."""
        found = {"servers": sum(server.cpu() for server in self.servers)}
        if self.workers:
            found["workers"] = sum(worker.cpu() for worker in self.workers)
        if self.postgres is not None:
            found["PostgreSQL"] = self.postgres.cpu()
        return found


def since(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """What was taken in between."""
    return {name: after[name] - before[name] for name in after}
