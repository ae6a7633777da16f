"""A small GraphQL client for tests: it counts nothing and repairs nothing, so that gaps and repeats show."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientWebSocketResponse
from aiohttp.test_utils import TestClient

JSON = dict[str, Any]

RUN = """
mutation Run($input: RunProvisionInput!) {
  runProvision(input: $input) {
    job { id number status recipeName requestedBy logPath }
    userErrors { code message field }
  }
}
"""
CREATE = """
mutation Create($input: CreateServerInput!) {
  createServer(input: $input) { server { id name auth tags variables } userErrors { code message field } }
}
"""
JOB = """
query Job($id: ID!) {
  job(id: $id) {
    id number status failureReason message exitCode logSize lineCount logPath startedAt endedAt duration worker
  }
}
"""
LOG = """
subscription Log($id: ID!, $after: String) {
  jobLog(jobId: $id, after: $after) { cursor after firstLine text emittedAt end }
}
"""
SHOWN = 5000
"""How many characters of a log the report of a failed test has."""
FINAL = {"SUCCESS", "ERROR", "CANCELED"}


@dataclass(frozen=True)
class Api:
    """The API of one app under test."""

    client: TestClient[Any, Any]
    token: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a rightful caller."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    async def raw(self, query: str, **variables: Any) -> JSON:
        """The whole answer of one operation, errors included."""
        body = {"query": query, "variables": variables}
        async with self.client.post("/graphql", json=body, headers=self.headers) as response:
            answer: JSON = await response.json()
            return answer

    async def ask(self, query: str, **variables: Any) -> JSON:
        """The data of one operation, which must have no errors."""
        answer = await self.raw(query, **variables)
        assert "errors" not in answer, answer["errors"]
        data: JSON = answer["data"]
        return data

    async def create_server(self, **given: Any) -> str:
        """The id of a new server; LOCAL if nothing else is said."""
        server = {"name": "here", "host": "localhost", "user": "root", "credential": {"local": True}, **given}
        payload = (await self.ask(CREATE, input=server))["createServer"]
        assert payload["userErrors"] == []
        return str(payload["server"]["id"])

    async def run(self, recipe: str, *server_ids: str, **options: Any) -> JSON:
        """A new job."""
        payload = (await self.ask(RUN, input={"recipe": recipe, "serverIds": list(server_ids), **options}))[
            "runProvision"
        ]
        assert payload["userErrors"] == []
        job: JSON = payload["job"]
        return job

    async def job(self, job_id: str) -> JSON:
        """A job's state."""
        job: JSON = (await self.ask(JOB, id=job_id))["job"]
        return job

    async def finished(self, job_id: str) -> JSON:
        """A job's state once its log has been read to the end. Shows that end where the test fails."""
        end = ""
        async for chunk in self.log(job_id):
            end = (end + chunk["text"])[-SHOWN:]
        job = await self.job(job_id)
        sys.stdout.write(f"job {job['number']}: {job['status']} {job['failureReason']} {job['message']}\n{end}\n")
        assert job["status"] in FINAL
        return job

    async def log(self, job_id: str, after: str | None = None) -> AsyncIterator[JSON]:
        """The chunks of a job's log from a cursor to the end."""
        async with self.subscribe(LOG, id=job_id, after=after) as chunks:
            async for chunk in chunks:
                yield chunk["jobLog"]

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[ClientWebSocketResponse]:
        """An acknowledged `graphql-transport-ws` connection."""
        async with self.client.ws_connect("/graphql", protocols=["graphql-transport-ws"]) as socket:
            await socket.send_json({"type": "connection_init", "payload": {"token": self.token}})
            assert (await socket.receive_json())["type"] == "connection_ack"
            yield socket

    @asynccontextmanager
    async def subscribe(self, query: str, **variables: Any) -> AsyncIterator[AsyncIterator[JSON]]:
        """The results of one subscription on a socket of its own; leaving the context cuts the socket."""
        async with self.socket() as socket:
            payload = {"query": query, "variables": variables}
            await socket.send_json({"type": "subscribe", "id": "1", "payload": payload})
            yield _results(socket)


async def _results(socket: ClientWebSocketResponse) -> AsyncIterator[JSON]:
    async for message in socket:
        answer = json.loads(message.data)
        if answer["type"] == "complete":
            return
        assert answer["type"] == "next", answer
        assert "errors" not in answer["payload"], answer
        yield answer["payload"]["data"]
    raise AssertionError(f"the socket closed early with {socket.close_code}")
