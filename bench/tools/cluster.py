"""A cluster on this machine, to play with: `make cluster`. PostgreSQL, two servers behind a balancer, three workers."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from cryptography.fernet import Fernet

from bench.rig.balancer import Balancer
from bench.rig.postgres import throwaway_postgres
from playcast.shutdown import stop_asked

ROOT = Path(__file__).resolve().parents[2]
PLAYCAST = (sys.executable, "-m", "playcast")
PORT = 3001
SERVERS, WORKERS = 2, 3


async def main() -> None:
    """Start all, run a first job through the balancer, and go on until SIGINT or SIGTERM."""
    stop = stop_asked()
    room = Path(tempfile.mkdtemp(prefix="playcast-cluster-"))
    database = throwaway_postgres(room / "postgres")
    try:
        async with AsyncExitStack() as stack:
            common = {
                "PLAYCAST_DATABASE_URL": database.get_uri(),
                "PLAYCAST_SECRET_KEY": Fernet.generate_key().decode(),
            }
            print("PostgreSQL is up; servers and workers start", flush=True)
            starts = [("serve", f"api-{number}", "--port", "0") for number in range(1, SERVERS + 1)]
            starts += [("worker", f"worker-{number}", "--name", f"worker-{number}") for number in range(1, WORKERS + 1)]
            told = [
                await stack.enter_async_context(started(room / name, common, command, *more))
                for command, name, *more in starts
            ]
            ports = [int(line.rpartition(":")[2]) for line in told if line.startswith("Playcast is ready")]
            balancer = Balancer([("127.0.0.1", port) for port in ports])
            await balancer.start(PORT)
            stack.callback(balancer.stop)
            await first_job(common)
            print(f"\nThe cluster is at http://127.0.0.1:{PORT}; Ctrl-C ends it", flush=True)
            await stop.wait()
    finally:
        database.cleanup()
        shutil.rmtree(room, ignore_errors=True)


@asynccontextmanager
async def started(folder: Path, common: dict[str, str], command: str, *more: str) -> AsyncIterator[str]:
    """A process of Playcast; its first line says that it works."""
    log = _log_in(folder)
    env = {**os.environ, **common, "PLAYCAST_DATA_DIR": str(folder / "data")}
    with log.open("wb") as told:
        process = await asyncio.create_subprocess_exec(
            *PLAYCAST, command, *more, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=told, start_new_session=True
        )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode().strip()
        if not line:
            raise SystemExit(f"{command} did not start: its log is in {log}")
        print(f"  {line}", flush=True)
        yield line
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _log_in(folder: Path) -> Path:
    folder.mkdir()
    return folder / "log"


async def first_job(common: dict[str, str]) -> None:
    """Run `base` on this machine, asked for and followed through the balancer."""
    env = {**os.environ, "PLAYCAST_URL": f"http://127.0.0.1:{PORT}"}
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as seed:
        seed.write("servers:\n  - {name: here, host: localhost, user: root, credential: {local: true}}\n")
        seed.flush()
        for words, given in ((("seed", seed.name), common), (("run", "base", "here", "--follow"), {})):
            process = await asyncio.create_subprocess_exec(*PLAYCAST, *words, env={**env, **given}, cwd=ROOT)
            await process.wait()


if __name__ == "__main__":
    asyncio.run(main())
