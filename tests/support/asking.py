"""The API without its server: a schema over an open database, so that nobody else sends statements meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from strawberry import Schema

from gql.context import Context
from gql.schema import make_schema
from playcast import settings
from playcast.app import make_engine
from playcast.storage.database import dialect, migrate, opened
from runner.engine import Engine
from runner.verbs.list_workers import alive_workers
from runner.viewer import LOCAL_VIEWER
from tests.support.statements import Statement, recorded


@dataclass(frozen=True)
class Asking:
    """Asks a schema."""

    dialect: str
    schema: Schema
    engine: Engine

    def context(self) -> Context:
        """What resolvers get."""
        return Context(self.engine, partial(alive_workers, None), "test", LOCAL_VIEWER)

    async def ask(self, query: str, **variables: Any) -> tuple[dict[str, Any], list[Statement]]:
        """The data of one operation, which must have no errors, and the statements that it took."""
        async with recorded() as statements:
            answer = await self.schema.execute(query, variable_values=variables, context_value=self.context())
        assert answer.errors is None, answer.errors
        assert answer.data is not None
        return answer.data, list(statements)


@asynccontextmanager
async def asking(url: str, tmp_path: Path, ansible_dir: Path) -> AsyncIterator[Asking]:
    """The API over a database with an empty schema."""
    await migrate(url)
    # One connection: what is sent over others would not be recorded.
    single = url if dialect(url) == "sqlite" else f"{url}{'&' if '?' in url else '?'}minsize=1&maxsize=1"
    async with opened(single):
        engine = make_engine(settings.load({}, data_dir=tmp_path / "data", ansible_dir=ansible_dir))
        yield Asking(dialect(url), make_schema(), engine)
