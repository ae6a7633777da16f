"""Idempotency keys: a call that is repeated with its key finds the job of the first one, and starts nothing."""

import json
from datetime import UTC, datetime

from models import JobHost, ProvisionJob
from runner import checks
from runner.errors import ErrorCode, Refused
from runner.limits import IDEMPOTENCY_WINDOW
from runner.secrets.vault import Secret, Vault
from runner.verbs.request import Request
from runner.viewer import Viewer

MAX_KEY_LENGTH = 128


def scoped(viewer: Viewer, idempotency_key: str | None) -> str | None:
    """The key as it is stored; Refused if it is malformed. None where no key was sent."""
    if idempotency_key is None:
        return None
    key = checks.text(idempotency_key, "idempotencyKey")
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise checks.invalid(f"an idempotency key has 1 to {MAX_KEY_LENGTH} characters", "idempotencyKey")
    # Scoped to the caller: nobody can learn of, or be given, another caller's job by guessing its key.
    return f"{viewer.name}:{key}"


async def first_with(key: str) -> ProvisionJob | None:
    """The job that a call with this stored key made in the last 24 hours."""
    since = datetime.now(UTC) - IDEMPOTENCY_WINDOW
    return await ProvisionJob.get_or_none(idempotency_key=key, created_at__gte=since)


async def expire(key: str | None) -> None:
    """Free a key that an older job still holds, so that it can name a new one."""
    if key is not None:
        before = datetime.now(UTC) - IDEMPOTENCY_WINDOW
        await ProvisionJob.filter(idempotency_key=key, created_at__lt=before).update(idempotency_key=None)


def same_retry(first: ProvisionJob, retry_of: int) -> ProvisionJob:
    """`first`, if it is a retry of that job; Refused (IDEMPOTENCY_CONFLICT) otherwise."""
    if first.retry_of_id == retry_of:
        return first
    raise conflict(first, ["no retry" if first.retry_of_id is None else f"a retry of job {first.retry_of_id}"])


async def same_request(vault: Vault, first: ProvisionJob, request: Request) -> ProvisionJob:
    """`first`, if it is what `request` asks for; Refused (IDEMPOTENCY_CONFLICT) names what differs."""
    hosts = await JobHost.filter(job_id=first.id)
    secret: Secret = vault.unlock(first.secret_vars) if first.secret_vars is not None else {}
    made = Request.of(first, [host.server_id for host in hosts if host.server_id is not None], secret)
    differing = _differing(made, request)
    # Servers that were deleted since are known by their number alone.
    gone = sum(host.server_id is None for host in hosts)
    asked = set(request.server_ids)
    if not asked.issuperset(made.server_ids) or len(asked) != len(made.server_ids) + gone:
        differing.insert(1 if "recipe" in differing else 0, "serverIds")
    if first.retry_of_id is not None:
        differing.insert(0, f"a retry of job {first.retry_of_id}")
    if differing:
        raise conflict(first, differing)
    return first


def conflict(first: ProvisionJob, differing: list[str]) -> Refused:
    """The refusal of a key that stands for another request."""
    message = (
        f"this key was used for job {first.id}, which is another request ({', '.join(differing)}): "
        "use a new key for each request, and the same one only to repeat it"
    )
    return Refused.one(ErrorCode.IDEMPOTENCY_CONFLICT, message, "idempotencyKey")


def _differing(made: Request, asked: Request) -> list[str]:
    """The inputs, as clients call them, in which two requests differ, but for their servers."""
    recipe = made.recipe != asked.recipe.removesuffix(".yml")
    extra_vars = _text(made.extra_vars) != _text(asked.extra_vars or {})
    return ["recipe"] * recipe + ["extraVars"] * extra_vars + asked.options_other_than(made)


def _text(value: object) -> str:
    """Equal for equal JSON only: to Python 1, 1.0 and true are the same."""
    return json.dumps(value, sort_keys=True)
