"""How plain SQL marks where a value goes."""

from tortoise.backends.base.client import BaseDBAsyncClient


def mark(db: BaseDBAsyncClient, number: int) -> str:
    """The mark of the value that comes as number `number`, from 1, in the dialect of `db`."""
    return "?" if db.capabilities.dialect == "sqlite" else f"${number}"
