"""What mutations take, and how it becomes what the verbs take."""

from dataclasses import fields

import strawberry
from strawberry.utils.str_converters import to_camel_case

from gql.ids import row_number
from gql.scalars import JSON
from runner.checks import invalid
from runner.errors import BadInput, ErrorCode, Problem, Refused
from runner.limits import MAX_SERVERS_PER_JOB
from runner.secrets.credentials import Credential
from runner.verbs.request import OPTIONS, Order
from runner.verbs.servers import ServerFields


@strawberry.input
class RunProvisionInput:
    """What to run where."""

    recipe: str
    """Name of a recipe of the allow-list."""
    server_ids: list[strawberry.ID]
    """Ids of the servers, 1 to 1000, each once."""
    extra_vars: JSON | None = None
    """Extra variables as a JSON object; null for none. Those that the recipe declares secret are stored encrypted."""
    check: bool | None = False
    """Only predict changes (`--check`)."""
    diff: bool | None = False
    """Show changes of files in the log (`--diff`)."""
    tags: list[str] | None = None
    """Ansible's task tags."""
    skip_tags: list[str] | None = None
    """Task tags to leave out."""
    timeout_seconds: int | None = None
    """Seconds after which the job is stopped; null for the recipe's own, or PLAYCAST_TIMEOUT."""
    priority: int | None = 0
    """From -1000 to 1000; jobs of higher priority go first."""
    idempotency_key: str | None = None
    """The same request with the same key within 24 h returns the first job instead of starting another; another request
    with that key is refused (IDEMPOTENCY_CONFLICT)."""

    def order(self) -> Order:
        """The order that this input means; Refused names an id that cannot be read."""
        given = {name: getattr(self, name) for name in OPTIONS}
        return Order(
            recipe=self.recipe,
            server_ids=_server_ids(self.server_ids),
            extra_vars=self.extra_vars,
            idempotency_key=self.idempotency_key,
            **{name: value for name, value in given.items() if value is not None},
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
    """The job."""


@strawberry.input
class RetryJobInput:
    """A finished job to run again."""

    job_id: strawberry.ID
    """The job, which has ended."""
    failed_hosts_only: bool | None = False
    """Only on servers for which not every play that names them came to its end (`JobHost.served`)."""
    idempotency_key: str | None = None
    """As in RunProvisionInput."""


@strawberry.input(one_of=True)
class CredentialInput:
    """Write-only: no field of this API ever returns a secret.

    `keyFile` is the name of a file in the keys directory, never a path.
    """

    password: strawberry.Maybe[str]
    """Password of the account."""
    private_key: strawberry.Maybe[str]
    """OpenSSH private key without passphrase."""
    key_file: strawberry.Maybe[str]
    """Name of a private key in the keys directory of Playcast."""
    local: strawberry.Maybe[bool]
    """True: run on the machine of the worker, without ssh."""

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
    """Unique name, for people."""
    host: str
    """Host name or IP address that ssh connects to."""
    user: str
    """Account that logs in."""
    credential: CredentialInput
    """How it logs in."""
    port: int | None = 22
    """Port of its ssh server."""
    tags: list[str] | None = None
    """Tags, each an inventory group; null for none."""
    variables: JSON | None = None
    """Ansible's host variables as a JSON object; null for none."""
    strict_host_key: bool | None = True
    """Unsafe if false: any host key is taken, so anybody on the way can pass for the server."""

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


@strawberry.input
class UpdateServerInput:
    """Fields that are left out stay as they are; none of them can be null."""

    id: strawberry.ID
    """The server."""
    name: str | None = strawberry.UNSET
    """New name."""
    host: str | None = strawberry.UNSET
    """New host name or IP address; forgets the pinned host key."""
    port: int | None = strawberry.UNSET
    """New port; forgets the pinned host key."""
    user: str | None = strawberry.UNSET
    """New account."""
    credential: CredentialInput | None = strawberry.UNSET
    """New credential, in place of the old one."""
    tags: list[str] | None = strawberry.UNSET
    """All its tags, in place of the old ones; [] for none."""
    variables: JSON | None = strawberry.UNSET
    """All its host variables, in place of the old ones; {} for none."""
    strict_host_key: bool | None = strawberry.UNSET
    """False is unsafe: any host key is taken."""
    forget_host_key: bool | None = strawberry.UNSET
    """True: pin whatever key the server shows next."""

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
    """The server."""
