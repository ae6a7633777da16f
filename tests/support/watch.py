"""Watchers that come back after each death of the server, by the last cursor that they got."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError

from tests.support.api import JSON, LOG, Api

EVENTS = """
subscription Events($id: ID!, $after: String) {
  jobEvents(jobId: $id, after: $after) {
    cursor end
    events {
      __typename seq
      ... on JobStatusEvent { state: status }
      ... on TaskStartedEvent { task }
      ... on HostTaskEvent { host task status logLine }
    }
  }
}
"""


class Cut(Exception):
    """The socket closed before the subscription was complete."""


CUTS = (Cut, ClientError, ConnectionError, asyncio.TimeoutError)


async def results(api: Api, query: str, **variables: Any) -> AsyncIterator[JSON]:
    """The results of one subscription; Cut if the socket ends before it does."""
    async with api.client.ws_connect("/graphql", protocols=["graphql-transport-ws"], max_msg_size=0) as socket:
        await socket.send_json({"type": "connection_init"})
        async for message in socket:
            answer = json.loads(message.data)
            if answer["type"] == "connection_ack":
                payload = {"query": query, "variables": variables}
                await socket.send_json({"type": "subscribe", "id": "1", "payload": payload})
            elif answer["type"] == "complete":
                return
            else:
                assert answer["type"] == "next", answer
                assert "errors" not in answer["payload"], answer
                yield answer["payload"]["data"]
    raise Cut


@dataclass
class Watch:
    """Follows one job over every death of the server, by the last cursor it got."""

    up: Callable[[], Awaitable[Api]]
    """Gives the API of a server that is ready, as soon as there is one: a new one after each death."""
    job_id: str
    cursor: str | None = None
    cuts: int = 0
    cut_by_a_living_server: int = 0
    ended: bool = False

    async def run(self) -> None:
        """Watch to the end."""
        while not self.ended:
            api = await self.up()
            try:
                await self.read(api)
            except CUTS:
                self.cuts += 1
                # The socket may tell of a death before it is known.
                self.cut_by_a_living_server += await self._is_the_same(api)
            else:
                assert self.ended, "the subscription was completed before its end was told"

    async def _is_the_same(self, api: Api) -> bool:
        """Whether that server still lives."""
        for _ in range(50):
            if await self.up() is not api:
                return False
            await asyncio.sleep(0.2)
        return True

    async def read(self, api: Api) -> None:
        """Read until it ends, or the socket does."""
        raise NotImplementedError


@dataclass
class LogWatch(Watch):
    """Reads the log."""

    data: bytearray = field(default_factory=bytearray)

    async def read(self, api: Api) -> None:
        """Add each chunk, which must begin where the last one ended."""
        async for result in results(api, LOG, id=self.job_id, after=self.cursor):
            chunk = result["jobLog"]
            assert chunk["after"] == (self.cursor or "0"), (chunk, self.cursor)
            assert chunk["firstLine"] == self.data.count(b"\n") + 1, (chunk, self.cursor)
            self.data += chunk["text"].encode()
            self.cursor, self.ended = chunk["cursor"], chunk["end"]


@dataclass
class EventWatch(Watch):
    """Reads the events."""

    events: list[JSON] = field(default_factory=list)

    async def read(self, api: Api) -> None:
        """Add each event, whose number must be the next."""
        async for result in results(api, EVENTS, id=self.job_id, after=self.cursor):
            batch = result["jobEvents"]
            for event in batch["events"]:
                assert event["seq"] == len(self.events) + 1, (event, len(self.events))
                self.events.append(event)
            self.cursor, self.ended = batch["cursor"], batch["end"]
