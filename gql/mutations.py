"""Mutation: what clients can change. Expected failures come back as `userErrors`."""

import functools
from collections.abc import Awaitable, Callable
from typing import Annotated, ParamSpec, TypeVar

import strawberry

from gql.context import Info
from gql.errors import UserError
from gql.ids import global_id
from gql.inputs import (
    CancelJobInput,
    CreateServerInput,
    DeleteServerInput,
    RetryJobInput,
    RunProvisionInput,
    UpdateServerInput,
    number_of,
)
from gql.types.job import ProvisionJob
from gql.types.server import Server
from runner.errors import Refused
from runner.verbs.cancel import cancel_job
from runner.verbs.retry import retry_job
from runner.verbs.servers import create_server, delete_server, update_server
from runner.verbs.submit import run_provision

T = TypeVar("T")
P = ParamSpec("P")
_Input = Annotated[T, strawberry.argument(description="All that the mutation takes.")]


@strawberry.type
class RunProvisionPayload:
    """The job, or why there is none."""

    job: ProvisionJob | None = None
    """The new job; null if there is none."""
    user_errors: list[UserError] = strawberry.field(default_factory=list)
    """Why there is none; else empty."""


@strawberry.type
class CancelJobPayload:
    """The job as it stands now, or why it cannot be stopped."""

    job: ProvisionJob | None = None
    """The job as it stands now; null if it cannot be stopped."""
    user_errors: list[UserError] = strawberry.field(default_factory=list)
    """Why it cannot be stopped; else empty."""


@strawberry.type
class RetryJobPayload:
    """The new job, or why there is none."""

    job: ProvisionJob | None = None
    """The new job; null if there is none."""
    user_errors: list[UserError] = strawberry.field(default_factory=list)
    """Why there is none; else empty."""


@strawberry.type
class CreateServerPayload:
    """The server, or why there is none."""

    server: Server | None = None
    """The new server; null if there is none."""
    user_errors: list[UserError] = strawberry.field(default_factory=list)
    """Why there is none; else empty."""


@strawberry.type
class UpdateServerPayload:
    """The server, or why it was not changed."""

    server: Server | None = None
    """The server as it stands now; null if it was not changed."""
    user_errors: list[UserError] = strawberry.field(default_factory=list)
    """Why it was not changed; else empty."""


@strawberry.type
class DeleteServerPayload:
    """The id that is gone, or why it is not."""

    deleted_id: strawberry.ID | None = None
    """Id of the server that is gone; null if none is."""
    user_errors: list[UserError] = strawberry.field(default_factory=list)
    """Why it is still there; else empty."""


def user_errors(refusal: Refused) -> list[UserError]:
    """The problems of a refusal as clients see them."""
    return [UserError.of(problem) for problem in refusal.problems]


def _with_user_errors(resolver: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Answer a refusal with the payload that the resolver is annotated with, and its problems as `userErrors`."""
    payload = resolver.__annotations__["return"]

    @functools.wraps(resolver)
    async def resolve(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await resolver(*args, **kwargs)
        except Refused as refusal:
            refused: T = payload(user_errors=user_errors(refusal))
            return refused

    return resolve


@strawberry.type
class Mutation:
    """What clients can change."""

    @strawberry.mutation
    @_with_user_errors
    async def run_provision(self, info: Info, input: _Input[RunProvisionInput]) -> RunProvisionPayload:  # noqa: A002 (the contract's name)
        """Create a job and queue it. Returns as soon as job and queue entry are durable."""
        job = await run_provision(info.context.engine, info.context.viewer, input.order())
        return RunProvisionPayload(job=ProvisionJob.of(job))

    @strawberry.mutation
    @_with_user_errors
    async def cancel_job(self, info: Info, input: _Input[CancelJobInput]) -> CancelJobPayload:  # noqa: A002 (the contract's name)
        """Ask a pending or running job to stop; idempotent."""
        number = number_of("ProvisionJob", input.job_id, "jobId")
        job = await cancel_job(info.context.engine, info.context.viewer, number)
        return CancelJobPayload(job=ProvisionJob.of(job))

    @strawberry.mutation
    @_with_user_errors
    async def retry_job(self, info: Info, input: _Input[RetryJobInput]) -> RetryJobPayload:  # noqa: A002 (the contract's name)
        """Create a new job from a finished one: on all its servers, or on those that it has not served."""
        job = await retry_job(
            info.context.engine,
            info.context.viewer,
            number_of("ProvisionJob", input.job_id, "jobId"),
            failed_hosts_only=bool(input.failed_hosts_only),
            idempotency_key=input.idempotency_key,
        )
        return RetryJobPayload(job=ProvisionJob.of(job))

    @strawberry.mutation
    @_with_user_errors
    async def create_server(self, info: Info, input: _Input[CreateServerInput]) -> CreateServerPayload:  # noqa: A002 (the contract's name)
        """Store a new server. Its name must be free."""
        server = await create_server(info.context.engine, info.context.viewer, input.fields())
        return CreateServerPayload(server=Server.of(server))

    @strawberry.mutation
    @_with_user_errors
    async def update_server(self, info: Info, input: _Input[UpdateServerInput]) -> UpdateServerPayload:  # noqa: A002 (the contract's name)
        """Change a server. A new host or port forgets the pinned host key."""
        number = number_of("Server", input.id, "id")
        server = await update_server(info.context.engine, info.context.viewer, number, input.fields())
        return UpdateServerPayload(server=Server.of(server))

    @strawberry.mutation
    @_with_user_errors
    async def delete_server(self, info: Info, input: _Input[DeleteServerInput]) -> DeleteServerPayload:  # noqa: A002 (the contract's name)
        """Remove a server that no unfinished job needs. Its jobs stay."""
        number = number_of("Server", input.id, "id")
        await delete_server(info.context.engine, info.context.viewer, number)
        return DeleteServerPayload(deleted_id=global_id("Server", number))
