"""runProvision's verb: check everything, then write the job, its locks and its queue entry in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tortoise.exceptions import IntegrityError

from models import JobHost, JobStatus, ProvisionJob, Server
from models.transaction import transaction
from runner import checks
from runner.bus import Topic
from runner.engine import Engine
from runner.errors import ErrorCode, Problem, Refused, quoted
from runner.host_keys import host_name
from runner.jobs.transitions import write_status_event
from runner.limits import MAX_PRIORITY, MAX_SERVERS_PER_JOB, MAX_TIMEOUT_SECONDS
from runner.queue.admission import admit, alone, wait
from runner.recipes.book import Recipe
from runner.recipes.inputs import check_extra_vars, check_masked
from runner.recipes.questions import Questions
from runner.verbs import idempotency
from runner.verbs.request import Order
from runner.viewer import Viewer


async def run_provision(engine: Engine, viewer: Viewer, order: Order, *, retry_of: int | None = None) -> ProvisionJob:
    """Store a PENDING job and queue it; durable when this returns. Refused leaves nothing behind.

    With an idempotency key that was used before it is the job of that call, if that asked for the same.
    """
    key = idempotency.scoped(viewer, order.idempotency_key)
    if key is not None and (first := await idempotency.first_with(key)) is not None:
        return await _repeated(engine, first, order, retry_of)
    recipe, columns = await _checked(engine, order)
    servers = await _servers(order.server_ids)
    try:
        async with transaction() as tx:
            await alone(tx)
            await idempotency.expire(key)
            job = await ProvisionJob.create(
                recipe=recipe.name,
                revision=recipe.revision,
                status=JobStatus.PENDING,
                requested_by=viewer.name,
                idempotency_key=key,
                event_count=1,
                retry_of_id=retry_of,
                **columns,
            )
            job.log_path = f"jobs/{job.id}/ansible.log"
            await job.save(update_fields=["log_path"])
            await JobHost.bulk_create([_job_host(job, server) for server in servers])
            await write_status_event(job, job.created_at)
            wanted = [server.id for server in servers]
            admitted = await admit(tx, engine.dispatcher, job, wanted)
            if not admitted:
                await wait(job, wanted)
    except IntegrityError:
        # The same key came twice at once: the first job answers both.
        if key is not None and (first := await idempotency.first_with(key)) is not None:
            return await _repeated(engine, first, order, retry_of)
        # Or a server was deleted just now, which this refuses.
        await _servers(order.server_ids)
        raise
    if admitted:
        await engine.dispatcher.committed(job.id)
    engine.bus.publish(Topic.JOB, job.id)
    return job


async def _repeated(engine: Engine, first: ProvisionJob, order: Order, retry_of: int | None) -> ProvisionJob:
    """The job of the first call with this key; Refused if this one asks for something else."""
    if retry_of is not None:
        return idempotency.same_retry(first, retry_of)
    return await idempotency.same_request(engine.vault, first, order)


def _job_host(job: ProvisionJob, server: Server) -> JobHost:
    return JobHost(job_id=job.id, server_id=server.id, host=host_name(server.id), server_name=server.name)


async def _checked(engine: Engine, order: Order) -> tuple[Recipe, dict[str, Any]]:
    recipe = await engine.recipes.allowed(order.recipe)
    plain, secret = check_extra_vars(recipe.inputs, order.extra_vars)
    secret |= {name: plain.pop(name) for name in order.secrets & plain.keys()}
    questions = await engine.recipes.questions(recipe)
    _check_prompts(questions, recipe, plain, secret)
    check_masked(secret)
    tags = checks.task_tags(list(order.tags), "tags")
    skip_tags = checks.task_tags(list(order.skip_tags), "skipTags")
    # With tags of its own a call may leave the task out that waits.
    if not tags and not skip_tags:
        _check_pauses(questions, recipe)
    timeout = order.timeout_seconds
    if timeout is None:
        timeout = recipe.sidecar.timeout or engine.timeout
    if not 1 <= timeout <= MAX_TIMEOUT_SECONDS:
        raise checks.invalid(f"the timeout must be 1 to {MAX_TIMEOUT_SECONDS} seconds", "timeoutSeconds")
    if abs(order.priority) > MAX_PRIORITY:
        raise checks.invalid(f"the priority must be from -{MAX_PRIORITY} to {MAX_PRIORITY}", "priority")
    options = replace(order, tags=tags, skip_tags=skip_tags, timeout_seconds=timeout)
    return recipe, {
        "extra_vars": plain or None,
        "secret_vars": engine.vault.lock(secret) if secret else None,
        **options.columns(),
    }


def _check_prompts(asked: Questions, recipe: Recipe, plain: Mapping[str, object], secret: Mapping[str, object]) -> None:
    """Nobody is there to answer: ansible would go on with nothing, or with a default, and the job would look well."""
    pass_over = recipe.sidecar.pass_over_prompts
    for name, has_default in asked.variables.items():
        message = None
        if name in secret:
            # Ansible asks all the same, as it gets this one by way of the inventory, and takes its own answer.
            message = f"the playbook asks for {name} (vars_prompt), which a secret input cannot answer: let it not ask"
        elif name not in plain and not has_default:
            message = f"the playbook asks for {name} (vars_prompt): send it as an extra variable"
        elif name not in plain and not pass_over:
            message = (
                f"the playbook asks for {name} (vars_prompt): send it as an extra variable, "
                f"or let the recipe take the default (`prompts: default`)"
            )
        if message is not None:
            raise checks.invalid(message, "extraVars", name)


def _check_pauses(asked: Questions, recipe: Recipe) -> None:
    if asked.pauses and not recipe.sidecar.pass_over_prompts:
        message = (
            f"the playbook waits for a person at {quoted(asked.pauses[0])}, and nobody is there: "
            "give that pause a time, or let the recipe go on without an answer (`prompts: default`)"
        )
        raise checks.invalid(message, "recipe")


async def _servers(server_ids: Sequence[int]) -> list[Server]:
    if not server_ids:
        raise Refused.one(ErrorCode.SERVERS_EMPTY, "name at least one server", "serverIds")
    if len(server_ids) > MAX_SERVERS_PER_JOB:
        message = f"{len(server_ids)} servers are too many for one job: name at most {MAX_SERVERS_PER_JOB}"
        raise checks.invalid(message, "serverIds")
    if len(set(server_ids)) != len(server_ids):
        twice = next(server_id for server_id in server_ids if list(server_ids).count(server_id) > 1)
        raise checks.invalid(f"server {twice} is named twice: name each server once", "serverIds")
    found = {server.id: server for server in await Server.filter(id__in=list(server_ids))}
    missing = [
        Problem(ErrorCode.NOT_FOUND, f"there is no server {server_id}", ("serverIds", str(index)))
        for index, server_id in enumerate(server_ids)
        if server_id not in found
    ]
    if missing:
        raise Refused(missing)
    return [found[server_id] for server_id in server_ids]
