"""Halting a job whose supervisor cannot: one that was stopped, is held by a debugger or frozen ends nothing by itself.

A healthy supervisor ends its job at a signal and at the deadline (runner/programs/supervisor.py). Here is what the
worker does where that does not happen in time: it lets the supervisor go on, and if that does not help, ends everything
itself.
"""

import asyncio
import json
import os
import shutil
import signal
import time
from typing import Any

import structlog

from runner.job_dir import JobDir
from runner.job_processes import END_SECONDS, ProcessWatch, end_all, kill, of_job
from runner.jobs.standstill import FROZEN, standstill
from runner.programs import process_tree
from runner.waits import pause

PATIENCE_SECONDS = 5.0
"""How much longer than the grace a supervisor may take to end its job."""
LOOK_SECONDS = 1.0
# A supervisor keeps its own deadline, and starts its clock a little later than it starts itself.
_LATE_SECONDS = 1.0
_KILLED = -signal.SIGKILL
_MOST_NAMED = 5

log = structlog.get_logger()


class Halt:
    """Ends one job from outside, if its `supervisor` does not.

    `timeout` and `grace` are the job's, in seconds. Whatever is ended here is recorded in exit.json, as the
    supervisor would have done it; who reads that waits for `settled` first.
    """

    def __init__(self, job_dir: JobDir, supervisor: ProcessWatch, timeout: float, grace: float) -> None:
        self._dir = job_dir
        self._supervisor = supervisor
        self._timeout = timeout
        given = (job_dir.read_json(job_dir.spec) or {}).get("grace")
        self._grace = float(given) if isinstance(given, int | float) else grace
        self._ending = asyncio.Lock()

    @property
    def _patience(self) -> float:
        """How many seconds a healthy supervisor may need from the signal to its end."""
        return self._grace + min(self._grace, 1.0) + PATIENCE_SECONDS

    async def cancel(self) -> None:
        """Have the supervisor end its job; if it does not, end it here."""
        self._supervisor.stop()
        await pause(self._patience, self._supervisor.event)
        await self._end("canceled")

    async def watch(self) -> None:
        """See to it that the deadline holds, and the stop by a worker that was cut off, until the supervisor ends.

        A supervisor that merely runs is left alone: it may have its own reasons, and its clock stands while the
        machine sleeps.
        """
        supervisor = self._supervisor
        while not supervisor.is_set():
            if self._dir.cut_off.exists():
                await self.cancel()
            elif (left := self._left()) > 0:
                await pause(min(left, LOOK_SECONDS), supervisor.event)
            elif standstill(supervisor.pid) is None:
                await pause(LOOK_SECONDS, supervisor.event)
            else:
                supervisor.send(signal.SIGCONT)
                await pause(self._patience, supervisor.event)
                if standstill(supervisor.pid) is not None:
                    await self._end("timeout")

    def _left(self) -> float:
        """Seconds until a job is overdue, by the time that has gone by since its supervisor was started."""
        started = self._supervisor.start / os.sysconf("SC_CLK_TCK")
        return started + self._timeout + _LATE_SECONDS - time.clock_gettime(time.CLOCK_BOOTTIME)

    async def settled(self) -> None:
        """Wait until what is being ended here has ended, and is recorded."""
        async with self._ending:
            pass

    async def _end(self, reason: str) -> None:
        """End all processes of the job, unless its supervisor has ended, and record it."""
        async with self._ending:
            supervisor = self._supervisor
            if supervisor.is_set():
                return
            why = standstill(supervisor.pid) or "not heard of"
            await self._end_tree()
            supervisor.send(signal.SIGKILL)
            await pause(END_SECONDS, supervisor.event)
            await end_rest(self._dir)
            left = [*self._rest(), *([] if supervisor.is_set() else [supervisor.pid])]
            said = f"its supervisor did not end it (it was {why}), so Playcast killed its processes{_still(left)}"
            log.warning("a job was ended from outside", job=int(self._dir.path.name), reason=reason, told=said)
            self._record(reason, said if reason == "canceled" else f"stopped after {self._timeout:g} seconds: {said}")
            # What was killed and is still there will run no further.
            supervisor.give_up()

    async def _end_tree(self) -> None:
        """SIGKILL what the supervisor has started, while it is there to be known by: not all bear the job's mark."""
        until = time.monotonic() + END_SECONDS
        while (left := self._rest()) and time.monotonic() < until:
            for pid in left:
                kill(pid, self._is_ours)
            await asyncio.sleep(0.02)

    def _is_ours(self, pid: int) -> bool:
        return self._supervisor.has(pid) or pid in of_job(self._dir.path)

    def _rest(self) -> list[int]:
        """The processes of the job that have not ended, but for its supervisor."""
        top = self._supervisor.pid
        found = {*of_job(self._dir.path), *filter(self._supervisor.has, process_tree.descendants(top))}
        return sorted(pid for pid in found - {top} if process_tree.state(pid) is not None)

    def _record(self, reason: str, message: str) -> None:
        """Write exit.json, unless the supervisor has come to it after all."""
        if self._dir.exit.exists():
            return
        run: dict[str, Any] = self._dir.read_json(self._dir.run) or {}
        now = time.time()
        end = {"reason": reason, "code": _KILLED, "message": message}
        content = json.dumps({**end, "started_at": run.get("started_at", now), "ended_at": now}).encode()
        draft = self._dir.exit.with_name("exit.json.tmp")
        try:
            # The supervisor has taken the space for it: on a full disk there is no other.
            record = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(record, content, 0)
                os.ftruncate(record, len(content))
                os.fsync(record)
            finally:
                os.close(record)
            draft.replace(self._dir.exit)
        except OSError as error:
            log.warning("the end of a job cannot be recorded", job=int(self._dir.path.name), error=str(error))


async def end_rest(job_dir: JobDir) -> None:
    """End whatever is left of a job, and remove its temporary directory."""
    await end_all(job_dir.path)
    scratch = (job_dir.read_json(job_dir.spec) or {}).get("scratch")
    if isinstance(scratch, str):
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


def _still(left: list[int]) -> str:
    """What to say of processes that were killed and are still there."""
    if not left:
        return ""
    names = ", ".join(map(str, left[:_MOST_NAMED])) + (" and more" if len(left) > _MOST_NAMED else "")
    frozen = any(standstill(pid) == FROZEN for pid in left)
    until = "are thawed, since their cgroup is frozen" if frozen else "can, since the kernel holds them up"
    return f"; {names} will end when they {until}"
