"""The first job of a fresh installation: seed this machine, run `base` on it, show its log."""

import asyncio

from models import Server
from playcast.commands.client import Client
from playcast.commands.follow import exit_code
from playcast.commands.seed import LOCALHOST, seed
from playcast.settings import Settings
from runner.engine import Engine

RECIPE = "base"


async def seed_if_empty(engine: Engine) -> bool:
    """Add the server `localhost` to an empty database; whether it was empty."""
    if await Server.exists():
        return False
    await seed(engine, [LOCALHOST])
    return True


async def first_job(settings: Settings, address: str) -> None:
    """Run `base` on `localhost` through the API of `address`, and print its log as it comes."""
    async with Client(address, settings.token) as client:
        job = await client.run(RECIPE, [await client.server_id(LOCALHOST.name)])
        print(f"job {job['number']}: {RECIPE} on {LOCALHOST.name}\n")  # noqa: T201 (what the demo shows)
        async for text in client.follow(job["id"]):
            print(text, end="", flush=True)  # noqa: T201 (what the demo shows)
        status = (await client.job(job["id"]))["status"]
        print(f"\njob {job['number']}: {status}")  # noqa: T201 (what the demo shows)
        await exit_code(client, job["id"])


async def show_demo(settings: Settings, address: str, *, empty: bool) -> None:
    """What `serve --demo` does once the server is ready."""
    if empty:
        await first_job(settings, address)
    ide = f"\n  GraphiQL  {address}/graphql  (in a browser)" if settings.graphiql else ""
    print(f"\n  Page      {address}/\n  API       {address}/graphql{ide}\n\nCtrl-C stops the server.", flush=True)  # noqa: T201 (what the demo shows)
    await asyncio.Event().wait()
