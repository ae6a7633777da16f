"""How far a job came on each of its servers."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from gql.context import Info
from gql.ids import global_id
from gql.types.node import Node
from models import JobHost as Row

if TYPE_CHECKING:
    from gql.types.server import Server


@strawberry.type(description="One requested server of one job, with the counters of Ansible's recap, live.")
class JobHost(Node):
    """A host of a job."""

    row: strawberry.Private[Row]
    name: str = strawberry.field(description="Its name in the inventory and in the log, `srv-<number>`.")
    server_name: str = strawberry.field(description="The server's name when the job was requested.")
    ok: int
    changed: int
    failed: int
    skipped: int
    unreachable: int
    rescued: int
    ignored: int
    current_task: str | None = strawberry.field(description="The task that runs there now; null between tasks.")
    served: bool | None = strawberry.field(
        description=(
            "Whether every play that names it came to its end there; null while that is not known. "
            "`retryJob(failedHostsOnly: true)` runs on all others again."
        )
    )

    @classmethod
    def of(cls, row: Row, counters: dict[str, int] | None = None) -> "JobHost":
        """The host as clients see it; `counters` of a recap stand for the live ones."""
        counted = counters or {}
        return cls(
            id=global_id("JobHost", row.id),
            row=row,
            name=row.host,
            server_name=row.server_name,
            ok=counted.get("ok", row.ok),
            changed=counted.get("changed", row.changed),
            failed=counted.get("failed", row.failed),
            skipped=counted.get("skipped", row.skipped),
            unreachable=counted.get("unreachable", row.unreachable),
            rescued=counted.get("rescued", row.rescued),
            ignored=counted.get("ignored", row.ignored),
            current_task=row.current_task,
            served=row.served,
        )

    @strawberry.field(description="The server; null if it was deleted.")
    async def server(self, info: Info) -> Annotated["Server", strawberry.lazy("gql.types.server")] | None:
        """Its server."""
        from gql.types.server import Server  # noqa: PLC0415 (servers know jobs and jobs know their hosts)

        row = await info.context.servers.load(self.row.server_id) if self.row.server_id is not None else None
        return Server.of(row) if row is not None else None
