"""Retention: how long logs and jobs are kept, and which of them have to go.

By bytes, jobs are kept from the newest down for as long as they fit; from the first that does not, all older ones go.
Jobs that are not final are neither touched nor counted. The table is read STEP ids at a time: a million jobs cost one
to two seconds of the database's time, in parts of a few milliseconds, and no memory.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from tortoise.expressions import Q, Subquery
from tortoise.functions import Count, Sum
from tortoise.queryset import QuerySet

from models import FINAL, ProvisionJob, ServerLock
from models.chunk import CHUNKS_LEFT
from runner.limits import IDEMPOTENCY_WINDOW

STEP = 4096
ROWS = 256
JOB_BYTES = 4096
"""What a job counts for beside its log and its events: its rows and its small files."""
GOING = -1
"""The fence of a job whose removal has begun: a mark that outlives a crash, and no claim ever has it."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = ("id", "created_at", "ended_at", "idempotency_key", "fence", "events_size", "log_size", "log_pruned_at")


@dataclass(frozen=True)
class Retention:
    """How much is kept: days since a job's end, and bytes in all; None keeps for ever."""

    logs_days: float | None = None
    logs_bytes: int | None = None
    jobs_days: float | None = None
    jobs_bytes: int | None = None

    @property
    def limited(self) -> bool:
        """Whether anything ever goes."""
        return self != Retention()


class Why(StrEnum):
    """What decided that something goes."""

    AGE = "by age"
    BYTES = "by bytes"
    BEGUN = "begun before"


@dataclass(frozen=True)
class Victim:
    """What goes of one job: all of it (`job`), and its log if that is still there; `size` is the bytes it counted."""

    job_id: int
    created_at: datetime
    job: bool
    log: bool
    why: Why
    size: int


@dataclass
class Totals:
    """How much went; a log that went with its job counts too."""

    jobs: int = 0
    logs: int = 0
    size: int = 0

    def add(self, victim: Victim) -> None:
        """Count one more."""
        self.jobs += victim.job
        self.logs += victim.log
        self.size += victim.size


def removable() -> QuerySet[ProvisionJob]:
    """The jobs that may be touched at all: final, and holding no server."""
    return ProvisionJob.filter(status__in=list(FINAL), id__not_in=Subquery(ServerLock.all().values("job_id")))


async def choose(keep: Retention, now: datetime) -> AsyncIterator[Victim]:
    """What has to go, the oldest job first; what an interrupted run left half removed goes in any case."""
    rules = _Rules(keep, now)
    span = await _span()
    await rules.find_edges(span)
    for start, high in _steps(span):
        low = start
        while low < high:
            going = removable().filter(id__gt=low, id__lte=high).annotate(chunks_left=CHUNKS_LEFT)
            going = going.filter(rules.going()).order_by("id").limit(ROWS)
            rows = [_Row(**row) for row in await going.values(*_COLUMNS, "chunks_left")]
            for victim in map(rules.judge, rows):
                if victim is not None:
                    yield victim
            low = rows[-1].id if len(rows) == ROWS else high


async def _span() -> tuple[int, int]:
    """The ids of all jobs, as (below the first, the last)."""
    first = await ProvisionJob.all().order_by("id").first().only("id")
    last = await ProvisionJob.all().order_by("-id").first().only("id")
    return (first.id - 1, last.id) if first is not None and last is not None else (0, 0)


def _steps(span: tuple[int, int]) -> Iterator[tuple[int, int]]:
    low, last = span
    while low < last:
        yield low, min(low + STEP, last)
        low += STEP


@dataclass(frozen=True)
class _Row:
    """The columns of a job that decide."""

    id: int
    created_at: datetime
    ended_at: datetime | None
    idempotency_key: str | None
    fence: int
    events_size: int
    log_size: int
    log_pruned_at: datetime | None
    chunks_left: bool


class _Room:
    """A limit in bytes, filled from the newest job down. `edge`: the newest id without room; 0 while all fit."""

    def __init__(self, limit: int | None) -> None:
        self.limited = limit is not None
        self.edge = 0
        self._left = limit or 0

    def fits(self, size: int) -> bool:
        return not self.limited or size <= self._left

    def take(self, size: int) -> None:
        self._left -= size


class _Rules:
    """A retention at one moment: what goes by age, and up to which id what goes by bytes."""

    def __init__(self, keep: Retention, now: datetime) -> None:
        self._jobs_before = now - timedelta(days=keep.jobs_days) if keep.jobs_days is not None else _NEVER
        logs_before = now - timedelta(days=keep.logs_days) if keep.logs_days is not None else _NEVER
        self._logs_before = max(logs_before, self._jobs_before)
        # While its key counts a job stays, without its log: else a repeated call would start a second one.
        self._keyed_since = now - IDEMPOTENCY_WINDOW
        self._jobs = _Room(keep.jobs_bytes)
        self._logs = _Room(keep.logs_bytes)

    async def find_edges(self, span: tuple[int, int]) -> None:
        """Fill the room there is with all that age lets stay."""
        for low, high in reversed(list(_steps(span))):
            await self._fill(low, high)

    async def _fill(self, low: int, high: int) -> None:
        """Take the jobs with ids above `low` up to `high` as a whole if they fit, else by halves, the newer first."""
        if self._jobs.edge or not (self._jobs.limited or (self._logs.limited and not self._logs.edge)):
            return
        own, logs = await self._sizes(low, high)
        logs = 0 if self._logs.edge else logs
        if self._logs.fits(logs) and self._jobs.fits(own + logs):
            self._logs.take(logs)
            self._jobs.take(own + logs)
        elif high - low > 1:
            middle = (low + high) // 2
            await self._fill(middle, high)
            await self._fill(low, middle)
        elif not self._logs.fits(logs):
            self._logs.edge = high
            await self._fill(low, high)
        else:
            self._jobs.edge = high

    async def _sizes(self, low: int, high: int) -> tuple[int, int]:
        """The bytes that these jobs count for without logs, and those of their logs."""
        stays = Q(fence__gte=0) & ~(self._keyless() & Q(ended_at__lt=self._jobs_before))
        there = Q(log_pruned_at__isnull=True, ended_at__gte=self._logs_before)
        sums = removable().filter(stays, id__gt=low, id__lte=high)
        sums = sums.annotate(jobs=Count("id"), events=Sum("events_size"), logs=Sum("log_size", _filter=there))
        found = (await sums.values("jobs", "events", "logs"))[0]
        return found["jobs"] * JOB_BYTES + int(found["events"] or 0), int(found["logs"] or 0)

    def _keyless(self) -> Q:
        return Q(idempotency_key__isnull=True) | Q(created_at__lt=self._keyed_since)

    @property
    def _log_edge(self) -> int:
        return max(self._logs.edge, self._jobs.edge)

    def going(self) -> Q:
        """The condition that `judge` finds something to remove."""
        job = self._keyless() & (Q(ended_at__lt=self._jobs_before) | Q(id__lte=self._jobs.edge))
        log = Q(ended_at__lt=self._logs_before) | Q(id__lte=self._log_edge)
        there = Q(log_pruned_at__isnull=True, log_size__gt=0)
        return Q(fence=GOING) | job | (there & log) | Q(log_pruned_at__isnull=False, chunks_left=True)

    def judge(self, row: _Row) -> Victim | None:
        """What goes of one job."""
        keyless = row.idempotency_key is None or row.created_at < self._keyed_since
        job = _why(row, self._jobs_before, self._jobs.edge) if keyless else None
        if row.fence == GOING:
            job = Why.BEGUN
        there = row.log_pruned_at is None and row.log_size > 0
        log = _why(row, self._logs_before, self._log_edge) if there else None
        if row.log_pruned_at is not None and row.chunks_left:
            log = Why.BEGUN
        why = job or log
        if why is None:
            return None
        with_log = log is not None or (job is not None and there)
        size = (row.log_size if with_log else 0) + (JOB_BYTES + row.events_size if job else 0)
        return Victim(row.id, row.created_at, job is not None, with_log, why, size)


def _why(row: _Row, before: datetime, edge: int) -> Why | None:
    if row.ended_at is not None and row.ended_at < before:
        return Why.AGE
    return Why.BYTES if row.id <= edge else None
