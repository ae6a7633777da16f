"""Shown: what a client sees of the extra variables of a job."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from models import ProvisionJob
from runner.engine import Engine
from runner.errors import PlaycastError
from runner.mask import Masker
from runner.masked_words import words_of


def extra_vars(engine: Engine, job: ProvisionJob) -> dict[str, Any] | None:
    """Those that are not secret, with the secrets of the job masked in them as in its log: a value may repeat one."""
    if job.extra_vars is None or (job.secret_vars is None and not engine.mask_words):
        return job.extra_vars
    secret: Mapping[str, object] = {}
    # What cannot be read any more was encrypted with another key, and its job cannot be run again either.
    with suppress(PlaycastError):
        secret = engine.vault.unlock(job.secret_vars) if job.secret_vars is not None else {}
    masker = Masker(words_of([], secret, engine.mask_words))
    return {masker.mask(name): _masked(value, masker) for name, value in job.extra_vars.items()}


def _masked(value: Any, masker: Masker) -> Any:  # noqa: ANN401 (plain JSON)
    if isinstance(value, dict):
        return {masker.mask(key): _masked(item, masker) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, masker) for item in value]
    if value is None or isinstance(value, bool):
        return value
    written = str(value)
    masked = masker.mask(written)
    return value if masked == written else masked
