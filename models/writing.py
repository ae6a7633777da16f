"""Whether the database takes what is written: a row of some size, replaced each time."""

import os

from tortoise.backends.base.client import BaseDBAsyncClient

from models.dialect import mark

PROBE_BYTES = 64 * 1024
"""More than a job takes at its start, so that a disk which is about to be full is noticed before."""


async def write_probe(db: BaseDBAsyncClient) -> None:
    """Write it, in one statement; an error of Tortoise if the database does not take it."""
    statement = (
        f"INSERT INTO write_probe (id, filling) VALUES (1, {mark(db, 1)}) "  # noqa: S608 (no value is in it)
        "ON CONFLICT (id) DO UPDATE SET filling = excluded.filling"
    )
    # At random, so that PostgreSQL cannot compress it.
    await db.execute_query(statement, [os.urandom(PROBE_BYTES)])
