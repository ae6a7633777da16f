"""Fixtures: an app on a fresh SQLite database, its API, and an ansible directory to add playbooks to."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from playcast.app import make_app
from playcast.settings import Settings, shipped_ansible_dir
from tests.api import Api

StartApp = Callable[..., Awaitable[Api]]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's environment may help or hinder: this one would hide late output."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture
def ansible_dir(tmp_path: Path) -> Path:
    """A copy of the shipped ansible directory; a test may add playbooks."""
    copy = tmp_path / "ansible"
    shutil.copytree(shipped_ansible_dir(), copy, symlinks=True)
    return copy


@pytest.fixture
def add_recipe(ansible_dir: Path) -> Callable[[str, str], None]:
    """Write a playbook into the allow-list."""

    def add(name: str, content: str) -> None:
        (ansible_dir / "playbooks" / f"{name}.yml").write_text(content)

    return add


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Where the app under test keeps its data."""
    return tmp_path / "data"


@pytest.fixture
async def start_app(data_dir: Path, ansible_dir: Path) -> AsyncIterator[StartApp]:
    """Start an app on a loopback port, with settings as given; all are stopped at the end."""
    clients: list[TestClient[Any, Any]] = []

    async def start(**given: Any) -> Api:
        chosen = Settings(**{"data_dir": data_dir, "ansible_dir": ansible_dir, "slots": 4, "worker": "test", **given})
        client = TestClient(TestServer(make_app(chosen)))
        clients.append(client)
        await client.start_server()
        return Api(client, chosen.token)

    yield start
    for client in clients:
        await client.close()


@pytest.fixture
async def api(start_app: StartApp) -> Api:
    """The API of an app with default settings."""
    return await start_app()
