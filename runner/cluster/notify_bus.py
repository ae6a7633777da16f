"""The bus between processes, over PostgreSQL's LISTEN and NOTIFY: ids only, on one channel, gathered before they go.

NOTIFY takes a lock at each commit and wakes every listener of the database, so a process sends one for all that it has
gathered in 20 ms, the first after a silence at once. A notification may get lost with a connection: after each new
connection every listener looks at everything, and once a second one statement looks at all jobs that are listened for.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any

import asyncpg
import structlog
from tortoise.exceptions import BaseORMException
from tortoise.expressions import Q

from models import JobEvent, JobStatus, ProvisionJob
from models.postgres import AWAY
from runner.bus import Key, Listener, LocalBus, Topic

CHANNEL = "playcast"
GATHER_SECONDS = 0.02
NET_SECONDS = 1.0
RECONNECT_SECONDS = 1.0
# An idle connection that was cut without a word would be silent for ever.
ALIVE_SECONDS = 5.0
# PostgreSQL takes payloads of up to 7,999 bytes.
MAX_PAYLOAD = 7900
_LETTERS = {Topic.LOG: "l", Topic.JOB: "j", Topic.EVENTS: "e"}
_TOPICS = {letter: topic for topic, letter in _LETTERS.items()}
_TROUBLES: tuple[type[Exception], ...] = (*AWAY, BaseORMException)

log = structlog.get_logger()

Connect = Callable[[], Awaitable[asyncpg.Connection]]
Moved = Callable[[set[int]], Awaitable[None]]


class NotifyBus:
    """A bus for processes that share a PostgreSQL; `work` must run, or it reaches its own process alone.

    `connect` makes a connection for this bus alone: a pooled one would lose its LISTEN. `moved` is told which jobs'
    logs came further in other processes, and takes what came before their listeners are woken.
    """

    def __init__(self, connect: Connect, moved: Moved) -> None:
        self._connect = connect
        self._moved = moved
        self._local = LocalBus()
        # Notifications come back to their sender, who has told its own listeners already.
        self._me = secrets.token_hex(4)
        self._gathered: set[tuple[Topic, int]] = set()
        self._wanted = asyncio.Event()
        self._moved_on: set[int] = set()
        self._more = asyncio.Event()
        self._seen: dict[int, tuple[object, ...]] = {}
        # The last event at the look before the last one, and at the last.
        self._events: tuple[int, int] | None = None

    def publish(self, topic: Topic, job_id: int) -> None:
        """Wake every listener of `job_id`, and every listener of all jobs, here at once and elsewhere soon."""
        self._local.publish(topic, job_id)
        self._gathered.add((topic, job_id))
        self._wanted.set()

    def listen(self, *keys: Key) -> AbstractContextManager[Listener]:
        """A listener for `keys` while the context is open; an id of None means every job."""
        return self._local.listen(*keys)

    async def work(self) -> None:
        """Carry wake-ups to and fro until cancelled, over as many connections as it takes."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll())
            group.create_task(self._prefetch())
            while True:
                try:
                    await self._serve_connection()
                except _TROUBLES as error:
                    log.warning("other processes are not heard", error=str(error) or type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _serve_connection(self) -> None:
        """Carry over one connection, until it is lost."""
        async with asyncio.timeout(ALIVE_SECONDS):
            connection = await self._connect()
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, self._heard)
            self._local.wake_all()
            await self._send(connection, lost)
        finally:
            with suppress(*_TROUBLES):
                await connection.close(timeout=1.0)

    async def _send(self, connection: asyncpg.Connection, lost: asyncio.Event) -> None:
        while not lost.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(ALIVE_SECONDS):
                    await self._wanted.wait()
            self._wanted.clear()
            gathered, self._gathered = self._gathered, set()
            try:
                if gathered:
                    for payload in _payloads(self._me, gathered):
                        await connection.execute(f"SELECT pg_notify('{CHANNEL}', $1)", payload, timeout=ALIVE_SECONDS)
                else:
                    await connection.execute("SELECT 1", timeout=ALIVE_SECONDS)
            except BaseException:
                self._gathered |= gathered
                self._wanted.set()
                raise
            await asyncio.sleep(GATHER_SECONDS)

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        sender, *entries = str(payload).split(" ")
        if sender == self._me:
            return
        for entry in entries:
            topic, number = _TOPICS.get(entry[:1]), entry[1:]
            # Whoever may connect to the database may send anything.
            if topic is not None and number.isascii() and number.isdigit() and len(number) <= 18:
                self._tell(topic, int(number))

    def _tell(self, topic: Topic, job_id: int) -> None:
        if topic is Topic.LOG:
            self._moved_on.add(job_id)
            self._more.set()
        else:
            self._local.publish(topic, job_id)

    async def _prefetch(self) -> None:
        """Read new chunks of all followed logs by one query, then wake their readers."""
        while True:
            await self._more.wait()
            self._more.clear()
            job_ids, self._moved_on = self._moved_on, set()
            try:
                async with asyncio.timeout(ALIVE_SECONDS):
                    await self._moved(job_ids)
            except _TROUBLES as error:
                log.debug("logs cannot be read ahead", error=str(error))
            for job_id in job_ids:
                self._local.publish(Topic.LOG, job_id)

    async def _poll(self) -> None:
        """The net: look at what is listened for, in case a wake-up was lost."""
        while True:
            await asyncio.sleep(NET_SECONDS)
            try:
                await self._look()
            except _TROUBLES as error:
                log.debug("the jobs that are followed cannot be looked at", error=str(error))

    async def _look(self) -> None:
        listened = self._local.listened()
        wanted = {job_id for job_id in listened if job_id is not None}
        if None in listened:
            wanted |= self._seen.keys() | await self._moved_lately()
        else:
            self._events = None
        query = Q(id__in=list(wanted)) | Q(status=JobStatus.RUNNING) if None in listened else Q(id__in=list(wanted))
        seen: dict[int, tuple[object, ...]] = {}
        columns = ("id", "log_size", "event_count", "status", "admitted_at", "cancel_requested_by")
        for job_id, *state in await ProvisionJob.filter(query).values_list(*columns) if listened else []:
            for topic in _changed(self._seen.get(job_id), state):
                self._tell(topic, job_id)
            if job_id in listened or state[2] == JobStatus.RUNNING:
                seen[job_id] = tuple(state)
        self._seen = seen

    async def _moved_lately(self) -> set[int]:
        """The jobs that have taken a state, by its event: those that wait are too many to look at each second."""
        last = await JobEvent.all().order_by("-id").first().values_list("id", flat=True)
        newest = int(str(last or 0))
        before, at = self._events or (newest, newest)
        self._events = at, newest
        # Numbers are given before the commit: one that was missing at the last look may be there now.
        moved = JobEvent.filter(id__gt=before, kind="status").values_list("job_id", flat=True)
        return {int(str(job_id)) for job_id in await moved} if newest > before else set()


def _changed(before: tuple[object, ...] | None, now: list[Any]) -> Iterator[Topic]:
    """What differs; everything if it was not looked at before: its listener may have come before or after a change."""
    if before is None or before[0] != now[0]:
        yield Topic.LOG
    if before is None or before[1] != now[1]:
        yield Topic.EVENTS
    if before is None or before[2:] != tuple(now[2:]):
        yield Topic.JOB


def _payloads(me: str, gathered: set[tuple[Topic, int]]) -> Iterator[str]:
    payload = me
    for topic, job_id in sorted(gathered, key=lambda entry: (entry[1], entry[0].value)):
        entry = f" {_LETTERS[topic]}{job_id}"
        if len(payload) + len(entry) > MAX_PAYLOAD:
            yield payload
            payload = me
        payload += entry
    yield payload
