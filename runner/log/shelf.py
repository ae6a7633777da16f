"""The shelf: pieces of the logs that are followed, kept in memory for all readers of this process.

Readers stand at cursors of their own, and whoever finds nothing on the shelf reads the table, so nothing depends on
what is kept here. Pieces end at borders that are the same for all, so that readers who came at different moments soon
ask for the same ones: the last chunk end before the next multiple of 64 KiB, or the end of one chunk.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from models import LogChunk, ProvisionJob
from models.chunk import MAX_BYTES, Run
from runner.log.piece import Piece
from runner.log.stored import joined
from runner.lru import ByteLru
from runner.single_flight import SingleFlight

MOST_BYTES = 16 * 1024 * 1024
MOST_LOGS = 500
"""Of which one statement takes what came."""

_Key = tuple[int, int]


class Shelf:
    """What the readers of one process share. A log is kept only while somebody follows it."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._pieces: ByteLru[_Key, Piece] = ByteLru(most, lambda piece: len(piece.data))
        self._followers: Counter[int] = Counter()
        # How far the logs that are followed are stored, as far as this process knows.
        self._heads: dict[int, int] = {}
        self._reads: SingleFlight[_Key, Piece] = SingleFlight(self._read)
        self._looks: SingleFlight[int, ProvisionJob] = SingleFlight(self._look)

    @property
    def size(self) -> int:
        """Bytes that are kept now."""
        return self._pieces.size

    @contextmanager
    def followed(self, job_id: int) -> Iterator[None]:
        """Keep what is read and written of this log; with its last follower all of it goes."""
        self._followers[job_id] += 1
        try:
            yield
        finally:
            self._followers[job_id] -= 1
            if not self._followers[job_id]:
                del self._followers[job_id]
                self._heads.pop(job_id, None)
                self._pieces.drop_where(lambda key: key[0] == job_id)

    def stored(self, job_id: int, runs: Sequence[Run]) -> None:
        """Take what was just committed; call it before the readers are woken."""
        if job_id in self._followers:
            for run in runs:
                self._keep(Piece(job_id, run.start, run.data, run.first_line, run.emitted_at))

    async def moved(self, job_ids: Iterable[int]) -> None:
        """Other processes have stored more of these logs: take what came of all that are followed, by one statement.

        Should that fail, the readers look for themselves.
        """
        ends = {key: head for key in job_ids if (head := self._heads.get(key)) is not None}
        while ends:
            some = dict(islice(ends.items(), MOST_LOGS))
            try:
                found = await LogChunk.after(some, MAX_BYTES)
            except BaseException:
                for key in ends:
                    self._heads.pop(key, None)
                raise
            for key, end in some.items():
                del ends[key]
                runs = found.get(key, [])
                while runs:
                    piece = joined(key, runs[0].start, runs, _border(runs[0].start))
                    self._keep(piece)
                    runs = [run for run in runs if run.start >= piece.stop]
                if self._heads.get(key, 0) >= end + MAX_BYTES:
                    # There may be more.
                    self._heads.pop(key, None)

    async def job(self, job_id: int) -> ProvisionJob | None:
        """The job as it stands now; all who ask meanwhile share one look."""
        return await self._looks.ask(job_id)

    async def piece(self, job_id: int, start: int) -> Piece | None:
        """What is stored from `start` on, up to the next border; None at the end of the log."""
        found = self._found(job_id, start)
        if found is None and start < self._heads.get(job_id, start + 1):
            found = await self._reads.ask((job_id, start))
        return found

    def _found(self, job_id: int, start: int) -> Piece | None:
        """The piece on the shelf, unless the log has come further since and the piece would now be longer."""
        piece = self._pieces.get((job_id, start))
        if piece is None or piece.stop >= _border(start) or piece.stop == self._heads.get(job_id):
            return piece
        following = self._pieces.get((job_id, piece.stop))
        return piece if following is not None and following.stop > _border(start) else None

    async def _look(self, job_id: int) -> ProvisionJob | None:
        job = await ProvisionJob.find(job_id)
        if job is not None:
            self._comes_to(job_id, int(job.log_size))
        return job

    async def _read(self, key: _Key) -> Piece | None:
        job_id, start = key
        found = self._found(job_id, start)
        if found is None:
            runs = await LogChunk.between(job_id, start, _border(start))
            found = joined(job_id, start, runs, _border(start)) if runs else None
            if found is not None:
                self._keep(found)
        return found

    def _keep(self, piece: Piece) -> None:
        # Whoever asked may have gone while the table was read.
        if piece.job_id in self._followers:
            self._pieces.put((piece.job_id, piece.start), piece)
            self._comes_to(piece.job_id, piece.stop)

    def _comes_to(self, job_id: int, size: int) -> None:
        if job_id in self._followers:
            self._heads[job_id] = max(size, self._heads.get(job_id, 0))


def _border(start: int) -> int:
    return (start // MAX_BYTES + 1) * MAX_BYTES
