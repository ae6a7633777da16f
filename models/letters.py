"""Letters as SQLite does not know them: its own `UPPER` leaves all but the 26 of ASCII as they are."""

from aiosqlite import Connection


def upper(text: str | None) -> str | None:
    """`text` in capitals, letter by letter as PostgreSQL has it: one that has no single capital stays."""
    if text is None or text.isascii():
        return text and text.upper()
    return "".join(letter if len(capital := letter.upper()) != 1 else capital for letter in text)


async def register_upper(connection: Connection) -> None:
    """Give a connection this `UPPER`, by which Tortoise compares without regard to case."""
    await connection.create_function("UPPER", 1, upper, deterministic=True)
