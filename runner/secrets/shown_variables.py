"""Shown: what a client sees of the extra variables of a job."""

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from models import ProvisionJob
from runner.errors import PlaycastError
from runner.lru import ByteLru
from runner.programs.masking import Masker
from runner.secrets.secret_words import words_of
from runner.secrets.vault import Vault

KEPT_BYTES = 4 * 1024 * 1024
_Vars = dict[str, Any]


class Shown:
    """The extra variables of jobs that are not secret, with the secrets of the job masked in them as in its log.

    A value may repeat a secret. To make ready for a large secret takes a second: it is done once, in a thread, while
    the event loop goes on.
    """

    def __init__(self, vault: Vault, mask_words: tuple[str, ...]) -> None:
        self._vault = vault
        self._mask_words = mask_words
        self._recent: ByteLru[int, tuple[_Vars, int]] = ByteLru(KEPT_BYTES, lambda kept: kept[1])
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "shown")

    async def extra_vars(self, job: ProvisionJob) -> _Vars | None:
        """Those of one job; None if it was asked for with none."""
        if job.extra_vars is None or (job.secret_vars is None and not self._mask_words):
            return job.extra_vars
        if kept := self._recent.get(job.id):
            return kept[0]
        async with self._turn:
            # Whoever had the turn before may have asked for the same.
            kept = self._recent.get(job.id)
            if kept is None:
                kept = await asyncio.get_running_loop().run_in_executor(self._thread, self._made, job)
                self._recent.put(job.id, kept)
        return kept[0]

    def _made(self, job: ProvisionJob) -> tuple[_Vars, int]:
        secret: Mapping[str, object] = {}
        # What cannot be read any more was encrypted with another key, and its job cannot be run again either.
        with suppress(PlaycastError):
            secret = self._vault.unlock(job.secret_vars) if job.secret_vars is not None else {}
        masker = Masker(words_of([], secret, self._mask_words))
        shown = {masker.mask(name): _masked(value, masker) for name, value in (job.extra_vars or {}).items()}
        return shown, len(json.dumps(shown))


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
