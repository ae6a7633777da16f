"""How far a job came on each of its servers."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from gql.context import Info
from gql.ids import global_id
from gql.types.node import Node
from models import JobHost as Row

if TYPE_CHECKING:
    from gql.types.server import Server


@strawberry.type
class JobHost(Node):
    """One requested server of one job, with the counters of Ansible's recap, live."""

    row: strawberry.Private[Row]
    name: str
    """Its name in the inventory and in the log, `srv-<number>`."""
    server_name: str
    """The server's name when the job was requested."""
    ok: int
    """Tasks that succeeded or changed something."""
    changed: int
    """Tasks that changed something."""
    failed: int
    """Tasks that failed."""
    skipped: int
    """Tasks that a condition left out."""
    unreachable: int
    """Times that the server could not be reached."""
    rescued: int
    """Failed tasks that a `rescue` caught."""
    ignored: int
    """Failed tasks that the playbook ignores."""
    current_task: str | None
    """The task that runs there now; null between tasks."""
    served: bool | None
    """Whether every play that names it came to its end there; null while that is not known.

    `retryJob(failedHostsOnly: true)` runs on all others again.
    """

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

    @strawberry.field
    async def server(self, info: Info) -> Annotated["Server", strawberry.lazy("gql.types.server")] | None:
        """The server; null if it was deleted."""
        from gql.types.server import Server  # noqa: PLC0415 (servers know jobs and jobs know their hosts)

        row = await info.context.servers.load(self.row.server_id) if self.row.server_id is not None else None
        return Server.of(row) if row is not None else None
