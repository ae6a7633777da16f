"""What stands in SQLite's write-ahead log reaches the file while nobody commits, and a failure stops nothing."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tortoise.connection import get_connection

from playcast.storage import wal_checkpoint
from playcast.storage.database_file import PAGE_SIZE
from tests.log.test_resume import store
from tests.support.api import Api

MB = 1024 * 1024


async def test_what_was_written_reaches_the_file_by_itself(api: Api, data_dir: Path) -> None:
    file = data_dir / "playcast.sqlite3"
    assert file.stat().st_size < MB

    await store(b"x" * MB, list(range(0, MB, 65536)))

    async with asyncio.timeout(60):
        while file.stat().st_size < MB:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.05)


async def test_a_new_database_has_the_pages_that_a_flood_likes(api: Api) -> None:
    _, rows = await get_connection("default").execute_query("PRAGMA page_size")
    assert [row[0] for row in rows] == [PAGE_SIZE]


async def test_a_move_that_fails_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal_checkpoint, "EVERY_SECONDS", 0.01)
    file = tmp_path / "db.sqlite3"
    file.write_bytes(b"This is no database." * 100)
    written = tmp_path / "db.sqlite3-wal"
    with capture_logs() as logs:
        work = asyncio.ensure_future(wal_checkpoint.checkpointer(f"sqlite://{file}")())
        for number in (1, 2):
            written.write_bytes(b"x" * number)
            async with asyncio.timeout(30):
                while len(logs) < number:  # noqa: ASYNC110 (nothing tells of it)
                    await asyncio.sleep(0.01)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert {entry["event"] for entry in logs} == {"the write-ahead log could not be moved, it is tried again"}
    assert file.read_bytes() == b"This is no database." * 100


async def test_nothing_is_told_of_a_database_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal_checkpoint, "EVERY_SECONDS", 0.01)
    tried = asyncio.Event()
    move = wal_checkpoint._move

    def noticed(file: Path) -> None:
        move(file)
        loop.call_soon_threadsafe(tried.set)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(wal_checkpoint, "_move", noticed)
    file = tmp_path / "db.sqlite3"
    (tmp_path / "db.sqlite3-wal").write_bytes(b"x")
    with capture_logs() as logs:
        work = asyncio.ensure_future(wal_checkpoint.checkpointer(f"sqlite://{file}")())
        async with asyncio.timeout(30):
            await tried.wait()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert logs == []
    assert not file.exists()
