"""A small client of Playcast's own API, for the commands `run`, `logs` and the demo."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import aiohttp

from runner.errors import PlaycastError

_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
_FATAL_CLOSE = frozenset({4400, 4401, 4403, 4406, 4409, 4429})
_MAX_MESSAGE = 4 * 1024 * 1024

_SERVERS = """
query Servers($name: String, $after: String) {
  servers(first: 100, after: $after, filter: {nameContains: $name}) {
    nodes { id name }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_RUN = """
mutation Run($input: RunProvisionInput!) {
  runProvision(input: $input) { job { id number } userErrors { message field } }
}
"""
_JOB = "query Job($id: ID!) { job(id: $id) { number status message exitCode } }"
_PAGE = """
query Page($id: ID!, $after: String) {
  job(id: $id) { log(after: $after, maxBytes: 1048576) { chunks { text } cursor hasMore } }
}
"""
_LOG = "subscription Log($id: ID!, $after: String) { jobLog(jobId: $id, after: $after) { after cursor text end } }"


class Client:
    """One server, one token."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        self._session = aiohttp.ClientSession(headers=headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            message = "use the client inside `async with`"
            raise RuntimeError(message)
        return self._session

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
        """The data of one query or mutation; PlaycastError says what the server refused."""
        try:
            body = {"query": query, "variables": variables}
            async with self._http.post(f"{self._url}/graphql", json=body) as response:
                if response.status == 401:
                    message = f"{self._url} wants a token: set PLAYCAST_TOKEN or PLAYCAST_TOKEN_FILE to the right one"
                    raise PlaycastError(message)
                answer = await response.json()
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            message = (
                f"there is no Playcast at {self._url} ({error}); start one with `playcast serve`, or set PLAYCAST_URL"
            )
            raise PlaycastError(message) from error
        except (aiohttp.ClientError, ValueError) as error:
            message = f"{self._url} does not answer like Playcast: {error}"
            raise PlaycastError(message) from error
        if answer.get("errors"):
            raise PlaycastError(answer["errors"][0]["message"])
        data: dict[str, Any] = answer["data"]
        return data

    async def server_id(self, wanted: str) -> str:
        """The id of the server called `wanted`, else `wanted` itself when it is a number."""
        after = None
        while True:
            page = (await self.ask(_SERVERS, name=wanted, after=after))["servers"]
            for node in page["nodes"]:
                if node["name"] == wanted:
                    return str(node["id"])
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]
        if wanted.isdigit():
            return wanted
        message = f"there is no server called {wanted}"
        raise PlaycastError(message)

    async def run(self, recipe: str, server_ids: list[str], **options: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
        """Start a job: its `id` and `number`."""
        given = {"recipe": recipe, "serverIds": server_ids, **options}
        payload = (await self.ask(_RUN, input=given))["runProvision"]
        if payload["userErrors"]:
            raise PlaycastError("; ".join(error["message"] for error in payload["userErrors"]))
        job: dict[str, Any] = payload["job"]
        return job

    async def job(self, job_id: str) -> dict[str, Any]:
        """The state of a job."""
        job: dict[str, Any] | None = (await self.ask(_JOB, id=job_id))["job"]
        if job is None:
            message = f"there is no job {job_id}"
            raise PlaycastError(message)
        return job

    async def log_so_far(self, job_id: str, after: str | None) -> AsyncIterator[str]:
        """The text of a job's log from a cursor to where it stands now."""
        more = True
        while more:
            job = (await self.ask(_PAGE, id=job_id, after=after))["job"]
            if job is None:
                message = f"there is no job {job_id}"
                raise PlaycastError(message)
            for chunk in job["log"]["chunks"]:
                yield chunk["text"]
            after, more = job["log"]["cursor"], job["log"]["hasMore"]

    async def follow(self, job_id: str, after: str | None = None) -> AsyncIterator[str]:
        """The text of a job's log from a cursor to its end; a cut socket is resumed from the last cursor."""
        failures = 0
        while True:
            try:
                async for chunk in self._chunks(job_id, after):
                    failures = 0
                    after = chunk["cursor"]
                    yield chunk["text"]
                    if chunk["end"]:
                        return
            except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
                if failures >= len(_RETRY_SECONDS) * 4:
                    message = f"the connection to {self._url} is lost ({error}); the job goes on"
                    raise PlaycastError(message) from error
            await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
            failures += 1

    async def _chunks(self, job_id: str, after: str | None) -> AsyncIterator[dict[str, Any]]:
        async with self._http.ws_connect(
            f"{self._url}/graphql",
            protocols=["graphql-transport-ws"],
            max_msg_size=_MAX_MESSAGE,
            heartbeat=20,
        ) as socket:
            await socket.send_json({"type": "connection_init"})
            payload = {"query": _LOG, "variables": {"id": job_id, "after": after}}
            async for frame in socket:
                answer = frame.json()
                if answer["type"] == "connection_ack":
                    await socket.send_json({"type": "subscribe", "id": "log", "payload": payload})
                elif answer["type"] == "next" and not answer["payload"].get("errors"):
                    yield answer["payload"]["data"]["jobLog"]
                elif answer["type"] in ("next", "error"):
                    errors = answer["payload"]["errors"] if answer["type"] == "next" else answer["payload"]
                    raise PlaycastError(errors[0]["message"])
                elif answer["type"] == "ping":
                    with contextlib.suppress(ConnectionError):
                        await socket.send_json({"type": "pong"})
            if socket.close_code in _FATAL_CLOSE:
                message = f"the server closed the connection ({socket.close_code})"
                raise PlaycastError(message)
