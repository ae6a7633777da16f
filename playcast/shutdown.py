"""Being told to stop, and what happens to running jobs then."""

import asyncio
import signal

import structlog

from playcast.settings import OnStop, Settings
from runner.jobs.worker import Worker
from runner.waits import first

FAREWELL_SECONDS = 2.0
"""How long those who watch the last job have to hear of its end."""

log = structlog.get_logger()


def stop_asked() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set from now on, each time anew."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def see_off(worker: Worker | None, settings: Settings, stop: asyncio.Event) -> None:
    """Leave running jobs to the next start, or wait for them, as the settings say; a second signal ends the wait."""
    if worker is None or settings.on_stop is OnStop.LEAVE:
        return
    stop.clear()
    log.warning("waiting for running jobs, a second signal leaves them", jobs=sorted(worker.running))
    await first(_drained(worker), stop.wait())


async def _drained(worker: Worker) -> None:
    if worker.running:
        await worker.drain()
        await asyncio.sleep(FAREWELL_SECONDS)
