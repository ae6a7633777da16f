"""Following a job in a terminal: its log to stdout, and what Ctrl-C means."""

import asyncio
import signal
import sys
from typing import Any

from playcast.commands.client import Client

DETACHED = 130
_FAILED = 1


async def follow(client: Client, job_id: str, after: str | None = None) -> int:
    """Print a job's log to its end; the exit code is the job's, 130 if the reader detached."""
    number = (await client.job(job_id))["number"]
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    loop.add_signal_handler(signal.SIGINT, asked.set)
    printing = asyncio.ensure_future(_print_log(client, job_id, after))
    try:
        while True:
            waiting = asyncio.ensure_future(asked.wait())
            await asyncio.wait({printing, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if printing.done():
                printing.result()
                return await exit_code(client, job_id)
            if await _wants_to_detach(number, asked):
                _tell(f"job {number} goes on; follow it again with: playcast logs {number} --follow")
                return DETACHED
            _tell("following on")
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        printing.cancel()
        await asyncio.gather(printing, return_exceptions=True)


async def exit_code(client: Client, job_id: str) -> int:
    """0 for SUCCESS, else ansible's exit code if it is one, else 1; the reason goes to stderr."""
    job = await client.job(job_id)
    if job["status"] == "SUCCESS":
        return 0
    reason = f": {job['message']}" if job["message"] else ""
    _tell(f"job {job['number']} ended as {job['status']}{reason}")
    code = job["exitCode"]
    return code if code is not None and 0 < code < 256 else _FAILED


async def _print_log(client: Client, job_id: str, after: str | None) -> None:
    async for text in client.follow(job_id, after):
        sys.stdout.write(text)
        sys.stdout.flush()


async def _wants_to_detach(number: int, asked: asyncio.Event) -> bool:
    """Ask on the terminal; another Ctrl-C means yes, and so does having nobody to ask."""
    asked.clear()
    if not sys.stdin.isatty():
        return True
    _tell(f"\nDetach from job {number}? It goes on without you. [Y/n] ", end="")
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        if not answered.done():
            answered.set_result(sys.stdin.readline())

    loop.add_reader(sys.stdin.fileno(), read)
    again = asyncio.ensure_future(asked.wait())
    try:
        waits: set[asyncio.Future[Any]] = {answered, again}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return not answered.done() or answered.result().strip().lower() not in ("n", "no")
    finally:
        loop.remove_reader(sys.stdin.fileno())
        again.cancel()


def _tell(text: str, end: str = "\n") -> None:
    sys.stderr.write(text + end)
    sys.stderr.flush()
