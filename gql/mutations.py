"""Mutation: what clients can change. Expected failures come back as `userErrors`."""

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
from runner.cancel import cancel_job
from runner.errors import Refused
from runner.retry import retry_job
from runner.servers import create_server, delete_server, update_server
from runner.submit import run_provision


@strawberry.type
class RunProvisionPayload:
    """The job, or why there is none."""

    job: ProvisionJob | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class CancelJobPayload:
    """The job as it stands now, or why it cannot be stopped."""

    job: ProvisionJob | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class RetryJobPayload:
    """The new job, or why there is none."""

    job: ProvisionJob | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class CreateServerPayload:
    """The server, or why there is none."""

    server: Server | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class UpdateServerPayload:
    """The server, or why it was not changed."""

    server: Server | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class DeleteServerPayload:
    """The id that is gone, or why it is not."""

    deleted_id: strawberry.ID | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class Mutation:
    """What clients can change."""

    @strawberry.mutation(description="Create a job and queue it. Returns as soon as job and queue entry are durable.")
    async def run_provision(self, info: Info, input: RunProvisionInput) -> RunProvisionPayload:  # noqa: A002 (the contract's name)
        """Run a recipe."""
        try:
            job = await run_provision(info.context.engine, info.context.viewer, input.order())
        except Refused as refusal:
            return RunProvisionPayload(user_errors=user_errors(refusal))
        return RunProvisionPayload(job=ProvisionJob.of(job))

    @strawberry.mutation(description="Ask a pending or running job to stop; idempotent.")
    async def cancel_job(self, info: Info, input: CancelJobInput) -> CancelJobPayload:  # noqa: A002 (the contract's name)
        """Stop a job."""
        try:
            number = number_of("ProvisionJob", input.job_id, "jobId")
            job = await cancel_job(info.context.engine, info.context.viewer, number)
        except Refused as refusal:
            return CancelJobPayload(user_errors=user_errors(refusal))
        return CancelJobPayload(job=ProvisionJob.of(job))

    @strawberry.mutation(
        description="Create a new job from a finished one: on all its servers, or on those that it has not served."
    )
    async def retry_job(self, info: Info, input: RetryJobInput) -> RetryJobPayload:  # noqa: A002 (the contract's name)
        """Run a job again."""
        try:
            job = await retry_job(
                info.context.engine,
                info.context.viewer,
                number_of("ProvisionJob", input.job_id, "jobId"),
                failed_hosts_only=bool(input.failed_hosts_only),
                idempotency_key=input.idempotency_key,
            )
        except Refused as refusal:
            return RetryJobPayload(user_errors=user_errors(refusal))
        return RetryJobPayload(job=ProvisionJob.of(job))

    @strawberry.mutation(description="Store a new server. Its name must be free.")
    async def create_server(self, info: Info, input: CreateServerInput) -> CreateServerPayload:  # noqa: A002 (the contract's name)
        """Add a server."""
        try:
            server = await create_server(info.context.engine, info.context.viewer, input.fields())
        except Refused as refusal:
            return CreateServerPayload(user_errors=user_errors(refusal))
        return CreateServerPayload(server=Server.of(server))

    @strawberry.mutation(description="Change a server. A new host or port forgets the pinned host key.")
    async def update_server(self, info: Info, input: UpdateServerInput) -> UpdateServerPayload:  # noqa: A002 (the contract's name)
        """Change a server."""
        try:
            number = number_of("Server", input.id, "id")
            server = await update_server(info.context.engine, info.context.viewer, number, input.fields())
        except Refused as refusal:
            return UpdateServerPayload(user_errors=user_errors(refusal))
        return UpdateServerPayload(server=Server.of(server))

    @strawberry.mutation(description="Remove a server that no unfinished job needs. Its jobs stay.")
    async def delete_server(self, info: Info, input: DeleteServerInput) -> DeleteServerPayload:  # noqa: A002 (the contract's name)
        """Remove a server."""
        try:
            number = number_of("Server", input.id, "id")
            await delete_server(info.context.engine, info.context.viewer, number)
        except Refused as refusal:
            return DeleteServerPayload(user_errors=user_errors(refusal))
        return DeleteServerPayload(deleted_id=global_id("Server", number))


def user_errors(refusal: Refused) -> list[UserError]:
    """The problems of a refusal as clients see them."""
    return [UserError.of(problem) for problem in refusal.problems]
