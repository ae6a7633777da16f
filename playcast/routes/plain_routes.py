"""Plain HTTP beside GraphQL: thin routes over the same verbs, for curl and for old clients."""

import re
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from gql.inputs import number_of
from gql.variables import MAX_LIST
from models import JobStatus, ProvisionJob
from playcast.http.auth import VIEWER
from playcast.http.body import Bodies
from playcast.http.problems import Rejection
from playcast.routes.log_route import LogRoute
from playcast.routes.readiness import Readiness
from runner.engine import Engine
from runner.errors import Refused
from runner.jobs.worker import Worker
from runner.verbs.request import Order
from runner.verbs.submit import run_provision
from runner.verbs.waiting import message_of, waits_of
from runner.verbs.watch_jobs import find_job

# A string of a structured field, RFC 8941, 3.3.3.
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_ESCAPED = re.compile(r'\\(["\\])')


class Routes:
    """The handlers of one app."""

    def __init__(
        self,
        engine: Engine,
        worker: Worker | None,
        registry: CollectorRegistry,
        bodies: Bodies,
        readiness: Readiness,
    ) -> None:
        self._readiness = readiness
        self._engine = engine
        self._worker = worker
        self._registry = registry
        self._bodies = bodies
        self.log = LogRoute(engine, self.find)

    def table(self) -> list[web.RouteDef]:
        """Every plain route."""
        return [
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
            web.post("/ansible/run", self.run),
            web.get("/ansible/jobs/{id}", self.job),
            web.get("/ansible/jobs/{id}/log", self.log.respond),
        ]

    async def healthz(self, _request: web.Request) -> web.Response:
        """200 while the process answers."""
        return web.Response(text="ok\n")

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 while the database and the directory of jobs take what is written, and the worker here, if any, jobs."""
        if (reason := await self._readiness.refusal()) is not None:
            raise Rejection(503, reason)
        if self._worker is not None and not self._worker.working:
            raise Rejection(503, "the worker has stopped; the server log says why")
        if self._worker is not None and self._worker.draining:
            raise Rejection(503, "it is told to stop, and waits for running jobs")
        return web.Response(text="ready\n")

    async def metrics(self, _request: web.Request) -> web.Response:
        """Counters and gauges in the text format of Prometheus."""
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def run(self, request: web.Request) -> web.Response:
        """`{"recipe": …, "serverIds": […]}` → 201 `{"jobId": …}`."""
        order = _order(await self._bodies.json(request), request.headers.getall("Idempotency-Key", []))
        job = await run_provision(self._engine, request[VIEWER], order)
        return web.json_response({"jobId": job.id}, status=201, headers={"Location": f"/ansible/jobs/{job.id}"})

    async def job(self, request: web.Request) -> web.Response:
        """The job's state as JSON."""
        job = await self.find(request)
        if job.status is JobStatus.PENDING:
            job.message = message_of(job, (await waits_of([job.id]))[job.id])
        return web.json_response(_as_json(job))

    async def find(self, request: web.Request) -> ProvisionJob:
        """The job that a path names; Rejection if there is none."""
        try:
            number = number_of("ProvisionJob", request.match_info["id"], "id")
        except Refused:
            number = 0
        job = await find_job(request[VIEWER], number) if number else None
        if job is None:
            raise Rejection(404, "there is no such job")
        return job


def _order(body: dict[str, Any] | list[Any], keys: list[str]) -> Order:
    """What a body asks for, with the values of the header Idempotency-Key; Rejection if it cannot be read."""
    if not isinstance(body, dict):
        raise Rejection(400, 'the body must be an object, such as {"recipe": "base", "serverIds": [1]}')
    recipe, ids = body.get("recipe"), body.get("serverIds")
    if not isinstance(recipe, str):
        raise Rejection(400, "recipe: give the name of a recipe, such as base")
    if isinstance(ids, list) and len(ids) > MAX_LIST:
        raise Rejection(400, f"serverIds: {len(ids)} values are too many: no such list here takes more than {MAX_LIST}")
    if not isinstance(ids, list) or not all(isinstance(raw, int | str) and not isinstance(raw, bool) for raw in ids):
        raise Rejection(400, "serverIds: give a list of server ids, such as [1, 2]")
    unknown = body.keys() - {"recipe", "serverIds", "idempotencyKey"}
    if unknown:
        message = f"{min(unknown)}: not known here; use runProvision of /graphql for more than a plain run"
        raise Rejection(400, message)
    return Order(
        recipe=recipe,
        server_ids=[number_of("Server", str(raw), "serverIds", str(at)) for at, raw in enumerate(ids)],
        idempotency_key=_key(body, keys),
    )


def _key(body: dict[str, Any], keys: list[str]) -> str | None:
    """The one key of a request, wherever it is given. In the header it may stand in quotes."""
    given = [_unquoted(key) for key in keys]
    if "idempotencyKey" in body:
        if not isinstance(body["idempotencyKey"], str):
            raise Rejection(400, "idempotencyKey: give text, or leave it out")
        given.append(body["idempotencyKey"])
    if len(set(given)) > 1:
        raise Rejection(400, "idempotencyKey: the header Idempotency-Key and the body give different keys: give one")
    return given[0] if given else None


def _unquoted(key: str) -> str:
    match = _QUOTED.fullmatch(key.strip())
    text = _ESCAPED.sub(r"\1", match[1]) if match else key.strip()
    if not text:
        raise Rejection(400, "Idempotency-Key: the header is empty: give a key, or leave it out")
    return text


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
