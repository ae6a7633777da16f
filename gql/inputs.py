"""What mutations take, and how it becomes what the verbs take."""

from dataclasses import fields

import strawberry
from strawberry.utils.str_converters import to_camel_case

from gql.ids import row_number
from gql.scalars import JSON
from runner.checks import invalid
from runner.credentials import Credential
from runner.errors import BadInput, ErrorCode, Problem, Refused
from runner.limits import MAX_SERVERS_PER_JOB
from runner.servers import ServerFields
from runner.submit import Order


@strawberry.input
class RunProvisionInput:
    """What to run where."""

    recipe: str
    server_ids: list[strawberry.ID]
    extra_vars: JSON | None = None
    check: bool | None = False
    diff: bool | None = False
    tags: list[str] | None = strawberry.field(default=None, description="Ansible's task tags.")
    skip_tags: list[str] | None = None
    timeout_seconds: int | None = None
    priority: int | None = 0
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "The same request with the same key within 24 h returns the first job instead of starting another; "
            "another request with that key is refused (IDEMPOTENCY_CONFLICT)."
        ),
    )

    def order(self) -> Order:
        """The order that this input means; Refused names an id that cannot be read."""
        return Order(
            recipe=self.recipe,
            server_ids=_server_ids(self.server_ids),
            extra_vars=self.extra_vars,
            check=bool(self.check),
            diff=bool(self.diff),
            tags=self.tags or [],
            skip_tags=self.skip_tags or [],
            timeout_seconds=self.timeout_seconds,
            priority=self.priority or 0,
            idempotency_key=self.idempotency_key,
        )


def _server_ids(ids: list[strawberry.ID]) -> list[int]:
    # Beyond the limit the verb refuses by number alone: do not decode ten thousand ids for that.
    if len(ids) > MAX_SERVERS_PER_JOB:
        return list(range(len(ids)))
    return [number_of("Server", raw, "serverIds", str(index)) for index, raw in enumerate(ids)]


def number_of(type_name: str, raw: str, *field: str) -> int:
    """The row that an input's id names; Refused with the input's path if it is malformed."""
    try:
        return row_number(type_name, raw)
    except BadInput as error:
        raise invalid(str(error), *field) from error


@strawberry.input
class CancelJobInput:
    """A job to stop."""

    job_id: strawberry.ID


@strawberry.input
class RetryJobInput:
    """A finished job to run again."""

    job_id: strawberry.ID
    failed_hosts_only: bool | None = strawberry.field(
        default=False,
        description="Only on servers for which not every play that names them came to its end (`JobHost.served`).",
    )
    idempotency_key: str | None = None


@strawberry.input(
    one_of=True,
    description=(
        "Write-only: no field of this API ever returns a secret. "
        "`keyFile` is the name of a file in the keys directory, never a path."
    ),
)
class CredentialInput:
    """How to log in."""

    password: strawberry.Maybe[str]
    private_key: strawberry.Maybe[str]
    key_file: strawberry.Maybe[str]
    local: strawberry.Maybe[bool]

    def credential(self) -> Credential:
        """The credential with plain values."""
        return Credential(
            password=self.password.value if self.password else None,
            private_key=self.private_key.value if self.private_key else None,
            key_file=self.key_file.value if self.key_file else None,
            local=self.local.value if self.local else None,
        )


@strawberry.input
class CreateServerInput:
    """A new server."""

    name: str
    host: str
    user: str
    credential: CredentialInput
    port: int | None = 22
    tags: list[str] | None = None
    variables: JSON | None = None
    strict_host_key: bool | None = strawberry.field(
        default=True,
        description="Unsafe if false: any host key is taken, so anybody on the way can pass for the server.",
    )

    def fields(self) -> ServerFields:
        """What the verb takes."""
        return ServerFields(
            name=self.name,
            host=self.host,
            port=22 if self.port is None else self.port,
            user=self.user,
            credential=self.credential.credential(),
            tags=self.tags,
            variables=self.variables,
            strict_host_key=self.strict_host_key,
        )


@strawberry.input(description="Fields that are left out stay as they are; none of them can be null.")
class UpdateServerInput:
    """A change to a server."""

    id: strawberry.ID
    name: str | None = strawberry.UNSET
    host: str | None = strawberry.UNSET
    port: int | None = strawberry.UNSET
    user: str | None = strawberry.UNSET
    credential: CredentialInput | None = strawberry.UNSET
    tags: list[str] | None = strawberry.UNSET
    variables: JSON | None = strawberry.UNSET
    strict_host_key: bool | None = strawberry.UNSET
    forget_host_key: bool | None = strawberry.UNSET

    def fields(self) -> ServerFields:
        """What the verb takes; Refused names each field that is null."""
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "id"}
        _refuse_nulls([name for name, value in given.items() if value is None])
        given = {name: value for name, value in given.items() if value is not strawberry.UNSET}
        if "credential" in given:
            given["credential"] = given["credential"].credential()
        return ServerFields(**given)


# What stands for nothing, where that is something which a client may mean.
_NOTHING = {"tags": "use [] for none", "variables": "use {} for none"}


def _refuse_nulls(names: list[str]) -> None:
    problems = []
    for name in names:
        called = to_camel_case(name)
        rest = _NOTHING.get(name, "leave it out to keep what is there")
        problems.append(Problem(ErrorCode.INVALID, f"{called} cannot be null: {rest}", (called,)))
    if problems:
        raise Refused(problems)


@strawberry.input
class DeleteServerInput:
    """A server to remove."""

    id: strawberry.ID
