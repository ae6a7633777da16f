"""Where SQLite and PostgreSQL differ: how plain SQL marks a value, and what SQLite does not know of letters."""

from aiosqlite import Connection
from tortoise.backends.base.client import BaseDBAsyncClient


def mark(db: BaseDBAsyncClient, number: int) -> str:
    """The mark of the value that comes as number `number`, from 1, in the dialect of `db`."""
    return "?" if db.capabilities.dialect == "sqlite" else f"${number}"


def upper(text: str | None) -> str | None:
    """`text` in capitals, letter by letter as PostgreSQL has it: one that has no single capital stays.

    SQLite's own `UPPER` leaves all but the 26 of ASCII as they are.
    """
    if text is None or text.isascii():
        return text and text.upper()
    return "".join(letter if len(capital := letter.upper()) != 1 else capital for letter in text)


async def register_upper(connection: Connection) -> None:
    """Give a connection this `UPPER`, by which Tortoise compares without regard to case."""
    await connection.create_function("UPPER", 1, upper, deterministic=True)
