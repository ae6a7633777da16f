"""What happens to running jobs when a process is told to stop."""

import asyncio

import structlog

from playcast.settings import OnStop, Settings
from runner.worker import Worker

FAREWELL_SECONDS = 2.0
"""How long those who watch the last job have to hear of its end."""

log = structlog.get_logger()


async def see_off(worker: Worker | None, settings: Settings, stop: asyncio.Event) -> None:
    """Leave running jobs to the next start, or wait for them, as the settings say; a second signal ends the wait."""
    if worker is None or settings.on_stop is OnStop.LEAVE:
        return
    stop.clear()
    log.warning("waiting for running jobs, a second signal leaves them", jobs=sorted(worker.running))
    waits = [asyncio.ensure_future(wait) for wait in (_drained(worker), stop.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _drained(worker: Worker) -> None:
    if worker.running:
        await worker.drain()
        await asyncio.sleep(FAREWELL_SECONDS)
