"""Plain HTTP beside GraphQL: thin routes over the same verbs, for curl and for old clients."""

import json
import re
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from tortoise.exceptions import BaseORMException

from gql.inputs import number_of
from models import JobStatus, ProvisionJob
from playcast.auth import VIEWER, problem
from runner.engine import Engine
from runner.errors import BadInput, ErrorCode, Refused
from runner.jobs import find_job
from runner.logs import read_range
from runner.submit import Order, run_provision
from runner.waiting import message_of, waits_of
from runner.worker import Worker

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_STATUS = {
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.ALREADY_EXISTS: 409,
    ErrorCode.IN_USE: 409,
    ErrorCode.IDEMPOTENCY_CONFLICT: 422,
}


class Routes:
    """The handlers of one app."""

    def __init__(self, engine: Engine, worker: Worker | None, registry: CollectorRegistry) -> None:
        self._engine = engine
        self._worker = worker
        self._registry = registry

    def table(self) -> list[web.RouteDef]:
        """Every plain route."""
        return [
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
            web.post("/ansible/run", self.run),
            web.get("/ansible/jobs/{id}", self.job),
            web.get("/ansible/jobs/{id}/log", self.log),
        ]

    async def healthz(self, _request: web.Request) -> web.Response:
        """200 while the process answers."""
        return web.Response(text="ok\n")

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 while the database answers and the worker, if there is one here, takes jobs."""
        try:
            await ProvisionJob.exists(id=0)
        except (BaseORMException, OSError) as error:
            return problem(503, f"the database does not answer: {error}")
        if self._worker is not None and not self._worker.working:
            return problem(503, "the worker has stopped; the server log says why")
        if self._worker is not None and self._worker.draining:
            return problem(503, "it is told to stop, and waits for running jobs")
        return web.Response(text="ready\n")

    async def metrics(self, _request: web.Request) -> web.Response:
        """Counters and gauges in the text format of Prometheus."""
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def run(self, request: web.Request) -> web.Response:
        """`{"recipe": …, "serverIds": […]}` → 201 `{"jobId": …}`."""
        if request.content_type != "application/json":
            # Also keeps forms of other sites out: a browser asks first before it sends JSON elsewhere.
            return problem(415, "send JSON, with Content-Type: application/json")
        try:
            body = json.loads(await request.read())
        except (ValueError, RecursionError) as error:
            return problem(400, f"the body is not JSON: {error}")
        try:
            job = await run_provision(self._engine, request[VIEWER], _order(body))
        except BadInput as error:
            return problem(400, str(error))
        except Refused as refusal:
            return _refused(refusal)
        return web.json_response({"jobId": job.id}, status=201, headers={"Location": f"/ansible/jobs/{job.id}"})

    async def job(self, request: web.Request) -> web.Response:
        """The job's state as JSON."""
        job = await self._find(request)
        if job is None:
            return _no_job()
        if job.status is JobStatus.PENDING:
            job.message = message_of(job, (await waits_of([job.id]))[job.id])
        return web.json_response(_as_json(job))

    async def log(self, request: web.Request) -> web.StreamResponse:
        """The log as it stands now, or the asked range of it; also while the job runs."""
        job = await self._find(request)
        if job is None:
            return _no_job()
        if job.log_pruned_at is not None:
            return problem(410, f"the log of job {job.id} was removed at {job.log_pruned_at.isoformat()} to save space")
        found = _range(request.headers.get("Range"), job.log_size)
        if found is None:
            response = problem(416, f"the log has {job.log_size} bytes so far")
            response.headers["Content-Range"] = f"bytes */{job.log_size}"
            return response
        start, stop, partial = found
        return await self._send_log(request, job, start, stop, partial=partial)

    async def _send_log(
        self, request: web.Request, job: ProvisionJob, start: int, stop: int, *, partial: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=206 if partial else 200)
        response.content_type = "text/plain"
        response.charset = "utf-8"
        response.content_length = stop - start
        response.headers["Accept-Ranges"] = "bytes"
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        if partial:
            response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{job.log_size}"
        await response.prepare(request)
        if request.method != "HEAD":
            async for piece in read_range(job.id, start, stop):
                await response.write(piece.data)
                start = piece.stop
            if start < stop and request.transport is not None:
                # Pruned meanwhile. A cut connection is the only way left to say that the rest is missing.
                request.transport.close()
                return response
        await response.write_eof()
        return response

    async def _find(self, request: web.Request) -> ProvisionJob | None:
        try:
            number = number_of("ProvisionJob", request.match_info["id"], "id")
        except Refused:
            return None
        return await find_job(request[VIEWER], number)


def _order(body: Any) -> Order:  # noqa: ANN401 (whatever a client sends)
    if not isinstance(body, dict):
        raise BadInput('the body must be an object, such as {"recipe": "base", "serverIds": [1]}')
    recipe, ids = body.get("recipe"), body.get("serverIds")
    if not isinstance(recipe, str):
        raise BadInput("recipe: give the name of a recipe, such as base")
    if not isinstance(ids, list) or not all(isinstance(raw, int | str) and not isinstance(raw, bool) for raw in ids):
        raise BadInput("serverIds: give a list of server ids, such as [1, 2]")
    unknown = body.keys() - {"recipe", "serverIds"}
    if unknown:
        raise BadInput(f"{min(unknown)}: not known here; use runProvision of /graphql for more than a plain run")
    return Order(
        recipe=recipe,
        server_ids=[number_of("Server", str(raw), "serverIds", str(at)) for at, raw in enumerate(ids)],
    )


def _refused(refusal: Refused) -> web.Response:
    problems = [
        {"code": problem.code, "message": problem.message, "field": list(problem.field)} for problem in refusal.problems
    ]
    status = _STATUS.get(refusal.problems[0].code, 422)
    return web.json_response({"error": str(refusal), "problems": problems}, status=status)


def _no_job() -> web.Response:
    return problem(404, "there is no such job")


def _as_json(job: ProvisionJob) -> dict[str, Any]:
    def instant(value: Any) -> str | None:  # noqa: ANN401 (a datetime or None)
        return value.isoformat() if value is not None else None

    return {
        "jobId": job.id,
        "recipe": job.recipe,
        "status": job.status,
        "failureReason": job.failure_reason,
        "message": job.message,
        "exitCode": job.exit_code,
        "requestedBy": job.requested_by,
        "createdAt": instant(job.created_at),
        "startedAt": instant(job.started_at),
        "endedAt": instant(job.ended_at),
        "logPath": job.log_path,
        "logSize": job.log_size,
        "lineCount": job.line_count,
    }


def _range(header: str | None, size: int) -> tuple[int, int, bool] | None:
    """(start, stop, whether it is a part); None if the range lies outside. Forms we do not serve mean the whole."""
    match = _RANGE.fullmatch(header) if header is not None else None
    if match is None or not any(match.groups()):
        return 0, size, False
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return 0, size, False
    return (start, stop, True) if start < stop else None
