"""The appender: stores the chunks of all tails of a process, those that come meanwhile together.

While one transaction is on its way, others wait for the next. So nobody waits without need, and the busier the
database is, the more goes at a time.
"""

import asyncio
import sqlite3
from dataclasses import dataclass

from tortoise.exceptions import IntegrityError

from models import LogChunk
from models.chunk import LogAppend

MOST_BYTES = 4 * 1024 * 1024
"""Of one transaction, unless a single log brings more."""


@dataclass(eq=False)
class _Asked:
    """What one tail wants to be stored, and what became of it."""

    further: LogAppend
    stored: bool | None = None
    error: Exception | None = None


class Appender:
    """Each call is answered for its own job, whatever becomes of the others."""

    def __init__(self) -> None:
        self._waiting: list[_Asked] = []
        self._lock = asyncio.Lock()

    async def append(self, further: LogAppend) -> bool:
        """Whether the log came further; if not, the claim or the size is not ours."""
        asked = _Asked(further)
        self._waiting.append(asked)
        try:
            async with self._lock:
                while asked.stored is None and asked.error is None:
                    await self._store()
        finally:
            if asked in self._waiting:
                self._waiting.remove(asked)
        if asked.error is not None:
            raise asked.error
        return bool(asked.stored)

    async def _store(self) -> None:
        batch = self._batch()
        try:
            await _write(batch)
        except (IntegrityError, sqlite3.IntegrityError) as error:
            # One of them does not fit, which must not stop the others.
            for one in batch:
                one.error = error if len(batch) == 1 else await _alone(one)
        except Exception as error:  # noqa: BLE001 (it is each caller's to handle)
            for one in batch:
                one.error = error
        except BaseException:
            # Its own task was told to stop: the next in line begins anew. What was stored all the same is found out.
            self._waiting[:0] = batch
            raise

    def _batch(self) -> list[_Asked]:
        """Who came first, as far as they go together."""
        batch: dict[int, _Asked] = {}
        size = 0
        for one in self._waiting:
            size += one.further.size - one.further.job.log_size
            if one.further.job.id in batch or (batch and size > MOST_BYTES):
                break
            batch[one.further.job.id] = one
        del self._waiting[: len(batch)]
        return list(batch.values())


async def _write(batch: list[_Asked]) -> None:
    stored = await LogChunk.append([one.further for one in batch])
    for one in batch:
        one.stored = one.further.job.id in stored


async def _alone(one: _Asked) -> Exception | None:
    try:
        await _write([one])
    except Exception as error:  # noqa: BLE001 (same)
        return error
    return None
