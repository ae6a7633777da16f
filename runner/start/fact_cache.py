"""Facts that outlive their job, so that the next one of the same recipe need not gather them: whose they are.

Ansible knows a host by its name alone, and would take the facts of a machine for those of another that has its name
now. So everything that says which machine it is, and how the recipe saw it, goes into the key that its facts are
encrypted with: where any of it has changed, they cannot be read, which is as if there were none.

A job gets what is known in memory, and leaves what is new in its directory, encrypted as well
(ansible/cache_plugins). Once it has ended, `take` puts that into the store: one file for each recipe and server.
"""

import asyncio
import base64
import json
import os
import stat
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

import structlog
from cryptography.fernet import Fernet, InvalidToken

from models import ProvisionJob, Server, ServerAuthKind
from runner.host_keys import host_name
from runner.job_dir import JobDir
from runner.limits import MAX_ID
from runner.outages import every
from runner.recipes.book import Recipe, RecipeBook
from runner.secrets.vault import Vault
from runner.start.inventory import Target

MOST_BYTES = 1024 * 1024
"""Of one server's facts, as JSON; larger ones are not kept."""
MOST_AT_ONCE = 64 * 1024 * 1024
"""Of all facts that one job gets; its other servers gather theirs."""
EVERY_SECONDS = 600.0
_STEP = 256
# Encrypted, they are a third larger.
_MOST_LINE = MOST_BYTES // 2 * 3

log = structlog.get_logger()


@dataclass(frozen=True)
class Found:
    """Facts as JSON, and when the first of them were gathered, in seconds. A log that shows it shows no fact."""

    since: float
    facts: bytes = field(repr=False)


@dataclass(frozen=True)
class _Run:
    """A job, and what it has in common for all its servers: its secret inputs and the text of ansible.cfg."""

    job: ProvisionJob
    recipe: Recipe
    secrets: object = field(repr=False)
    settings: str


class Facts:
    """The store of one installation. Its methods read and write files: call them in a thread."""

    def __init__(self, vault: Vault, folder: Path, ansible_dir: Path) -> None:
        self._vault = vault
        self._folder = folder
        self._ansible_dir = ansible_dir

    def offer(self, job: ProvisionJob, recipe: Recipe, targets: Sequence[Target], job_dir: JobDir) -> bytes:
        """What the job's process gets: all that is known and young enough, and keys for what it will leave."""
        run = self._run(job, recipe)
        hosts, room = {}, MOST_AT_ONCE
        for target in targets:
            given: dict[str, object] = {"key": self._job_key(run, target).decode()}
            known = self._known(run, target)
            if known is not None and len(known.facts) <= room:
                room -= len(known.facts)
                given |= {"since": known.since, "facts": known.facts.decode()}
            hosts[host_name(target.server.id)] = given
        return json.dumps({"file": str(job_dir.facts), "most": MOST_BYTES, "hosts": hosts}).encode()

    def take(
        self, job: ProvisionJob, recipe: Recipe, targets: Sequence[Target], job_dir: JobDir, well: Collection[str]
    ) -> None:
        """Keep what the job left of the hosts that are `well`, and forget the others: nobody knows what became of them.

        It may be repeated. A check changes nothing, here neither.
        """
        run = self._run(job, recipe)
        known = {host_name(target.server.id): target for target in targets}
        lost = known.keys() - set(well)
        try:
            for host, token in _left(job_dir.facts, len(known)):
                if host not in lost and not job.check_mode:
                    self._keep(run, known[host], token)
        except (OSError, LookupError) as error:
            # No file of ours. What the job did to the facts of any host is not known.
            log.warning("the facts that a job left are not kept", job=job.id, error=str(error))
            lost = set(known)
        for host in lost:
            _remove(self._place(recipe.name, known[host].server.id))
        with suppress(OSError):
            job_dir.facts.unlink()

    def _keep(self, run: _Run, target: Target, token: bytes) -> None:
        """Replace the facts of a server by what is in the token; forget them if that is nothing or cannot be kept."""
        place = self._place(run.recipe.name, target.server.id)
        found = _opened(self._job_key(run, target), token)
        if found is not None and _is_known(target.server):
            try:
                _write(place, Fernet(self._key(run, target)).encrypt(_plain(found)), found.since)
                return
            except OSError as error:
                log.warning("facts cannot be kept", path=str(place), error=str(error))
        _remove(place)

    def forget(self, server_id: int) -> None:
        """Remove the facts of a server, whatever recipe gathered them."""
        for place in self._folder.glob(f"*/{host_name(server_id)}"):
            _remove(place)

    def expire(self, seconds: Mapping[str, int | None]) -> None:
        """Remove what is older than its recipe lets it be; `seconds` by recipe, one that keeps none may be missing."""
        now = time.time()
        for place in self._folder.glob("*/*"):
            with suppress(FileNotFoundError):
                if now - place.stat().st_mtime >= (seconds.get(place.parent.name) or 0):
                    _remove(place)

    async def forget_deleted(self) -> None:
        """Remove the facts of servers that are no more: whoever deleted one removed those of its own machine alone."""
        # Looked at before the table: no server that comes meanwhile is taken for one that has gone.
        kept = await asyncio.to_thread(self._server_ids)
        for start in range(0, len(kept), _STEP):
            some = kept[start : start + _STEP]
            there = {server.id for server in await Server.filter(id__in=some).only("id")}
            for server_id in set(some) - there:
                await asyncio.to_thread(self.forget, server_id)

    def _server_ids(self) -> list[int]:
        names = {place.name.removeprefix("srv-") for place in self._folder.glob("*/srv-*")}
        return [int(name) for name in names if name.isascii() and name.isdigit() and int(name) <= MAX_ID]

    async def work(self, recipes: RecipeBook) -> None:
        """Remove what is too old, or of nobody, now and every 10 minutes until cancelled."""

        async def clean() -> None:
            seconds = {recipe.name: recipe.sidecar.fact_cache for recipe in await recipes.all()}
            await asyncio.to_thread(self.expire, seconds)
            await self.forget_deleted()

        await every(EVERY_SECONDS, clean, "old facts cannot be removed")

    def _run(self, job: ProvisionJob, recipe: Recipe) -> _Run:
        secrets = self._vault.unlock(job.secret_vars) if job.secret_vars is not None else None
        return _Run(job, recipe, secrets, _text(self._ansible_dir / "ansible.cfg"))

    def _known(self, run: _Run, target: Target) -> Found | None:
        """The facts of one server; None if there are none that may be used."""
        try:
            token = self._place(run.recipe.name, target.server.id).read_bytes()
        except OSError:
            return None
        found = _opened(self._key(run, target), token) if _is_known(target.server) else None
        young = found is not None and time.time() - found.since < (run.recipe.sidecar.fact_cache or 0)
        return found if young else None

    def _place(self, recipe: str, server_id: int) -> Path:
        return self._folder / recipe / host_name(server_id)

    def _key(self, run: _Run, target: Target) -> bytes:
        """Of the file in the store."""
        return self._derived("store", target.server.host_key, *_identity(run, target))

    def _job_key(self, run: _Run, target: Target) -> bytes:
        """Of what a job leaves. It has no host key in it: a job at first contact learns that itself."""
        return self._derived("job", run.job.id, run.job.created_at.isoformat(), *_identity(run, target))

    def _derived(self, *content: object) -> bytes:
        """A Fernet key that only the holder of the vault's key can make."""
        text = json.dumps(["facts", *content], sort_keys=True, default=str)
        return base64.urlsafe_b64encode(bytes.fromhex(self._vault.digest(text.encode())))


def _identity(run: _Run, target: Target) -> Iterator[object]:
    """All that decides which machine a job of the recipe meets, and what ansible sees of it.

    Secret inputs may be how the recipe logs in. Its other variables are not: a new release is no new machine.
    """
    server = target.server
    yield run.secrets
    yield from (server.id, server.created_at.isoformat(), server.host, server.port, server.user, server.auth.value)
    yield from (target.login.password, target.login.private_key, server.variables, list(target.tags))
    yield from (run.recipe.name, run.recipe.revision, run.settings)
    if server.auth is ServerAuthKind.LOCAL:
        # A container that is replaced, or another machine on the same data.
        yield from (os.uname().nodename, sys.executable)


def _is_known(server: Server) -> bool:
    """Whether it is certain which machine answers there: without a pinned host key it may be another one each time."""
    return server.auth is ServerAuthKind.LOCAL or bool(server.strict_host_key and server.host_key)


def _left(path: Path, most: int) -> Iterator[tuple[str, bytes]]:
    """(host, token) for each host that a job left word of, at most so many; OSError if `path` is not a regular file."""
    try:
        # A playbook that runs on this machine may have put anything there, a pipe that nobody writes to for one.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} is not a regular file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            for line in islice(iter(partial(file.readline, _MOST_LINE), b""), most):
                host, _, token = line.rstrip(b"\n").partition(b" ")
                yield host.decode(errors="replace"), token
    finally:
        os.close(handle)


def _plain(found: Found) -> bytes:
    return b"%r %b" % (found.since, found.facts)


def _opened(key: bytes, token: bytes) -> Found | None:
    """What is in a token; None if it was made with another key, or its time has not come."""
    try:
        since, _, facts = Fernet(key).decrypt(token).partition(b" ")
        found = Found(float(since), facts)
    except (InvalidToken, ValueError):
        return None
    # A clock that was set back makes facts of the future: how old they are is not known.
    return found if 0 <= found.since <= time.time() else None


def _write(place: Path, content: bytes, since: float) -> None:
    # One by one: of those on the way `mkdir` takes the mode from the umask.
    for folder in (place.parent.parent, place.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
    draft = place.with_name(f"{place.name}.tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    os.utime(draft, (since, since))
    draft.replace(place)


def _remove(place: Path) -> None:
    try:
        place.unlink()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        log.warning("facts cannot be removed", path=str(place), error=str(error))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
