"""Starting a claimed job: write its directory, hand over its secrets in memory, start its supervisor."""

import asyncio
import json
import os
import secrets
import shutil
import stat
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models import JobHost, ProvisionJob, Server, ServerAuthKind, ServerTag
from runner.engine import Engine
from runner.errors import LaunchFailed
from runner.host_keys import host_name, known_hosts
from runner.job_dir import JobDir
from runner.programs import command
from runner.programs.system_errors import explained, is_limit
from runner.recipes.book import Recipe
from runner.recipes.description import Sidecar
from runner.secrets.secret_words import words_of
from runner.start import interpreters
from runner.start.cold_start import Starter
from runner.start.environment import environment, settings
from runner.start.inventory import Target, host_variables, hosts_ini, keep_connection, secret_inventory, vars_file
from runner.start.memory_files import sealed

_SECRET_FD = 3
_WORDS_FD = 4
_FACTS_FD = 5


async def launch(engine: Engine, job: ProvisionJob) -> None:
    """Start `job` in its own directory; LaunchFailed says what to do when that is impossible."""
    try:
        await _launch(engine, job, JobDir(engine.jobs_dir, job.id))
    except OSError as error:
        what = "the job cannot be started" if is_limit(error) else "the job's directory cannot be written"
        raise LaunchFailed(f"{what}: {explained(error)}") from error


async def _launch(engine: Engine, job: ProvisionJob, job_dir: JobDir) -> None:
    recipe = await engine.recipes.find(job.recipe)
    if recipe is None:
        raise LaunchFailed(f"the recipe {job.recipe} has left the allow-list since the job was requested")
    targets = await targets_of(engine, job)
    scratch = _scratch(job_dir)
    try:
        private = _prepare(engine, job, recipe, targets, scratch)
        if recipe.sidecar.fact_cache is not None:
            private.append(await asyncio.to_thread(engine.facts.offer, job, recipe, targets, job_dir))
        # Made after spec.json has named it: a server that is killed in between leaves nothing that nobody knows of.
        _make_scratch(Path(scratch))
        await _start_supervisor(engine.starter, job_dir, private)
    finally:
        if not job_dir.claimed():
            shutil.rmtree(scratch, ignore_errors=True)


def _scratch(job_dir: JobDir) -> str:
    """The name of the job's directory in /tmp: a new one, but of a launch that was killed its own."""
    named = (job_dir.read_json(job_dir.spec) or {}).get("scratch")
    if isinstance(named, str) and not job_dir.claimed():
        # Its supervisor may still be on the way, and finds what it looks for.
        return named
    # Short, since ssh's control sockets live below it and a socket's path has at most 107 bytes.
    return f"/tmp/pc-{secrets.token_hex(4)}"  # noqa: S108 (nobody can guess it, and `mkdir` takes no other's)


def _make_scratch(scratch: Path) -> None:
    try:
        scratch.mkdir(mode=0o700)
    except FileExistsError:
        found = scratch.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise


async def targets_of(engine: Engine, job: ProvisionJob) -> list[Target]:
    """The servers of a job that are still there, with their logins; PlaycastError if one cannot be read."""
    ids = [row.server_id for row in await JobHost.filter(job_id=job.id).order_by("id") if row.server_id]
    tags = await ServerTag.of_servers(ids)
    servers = {server.id: server for server in await Server.filter(id__in=ids)}
    return [Target(servers[key], engine.credentials.open(servers[key]), tags[key]) for key in ids]


def _prepare(engine: Engine, job: ProvisionJob, recipe: Recipe, targets: list[Target], scratch: str) -> list[bytes]:
    """Write the job's directory; [secret inventory, words to mask], which must never be in it."""
    job_dir = JobDir(engine.jobs_dir, job.id)
    program = find_ansible_playbook()
    # Not with `-e @file`: ansible takes no extra variables from a file in memory.
    secret_vars = engine.vault.unlock(job.secret_vars) if job.secret_vars is not None else {}
    hosts = host_variables(targets, secret_vars, scratch, sys.executable)
    spec = {
        # Whose directory this is: another database may number its jobs from 1 as well.
        "created_at": job.created_at.isoformat(),
        "first_contacts": _first_contacts(targets),
        "argv": [*_child(engine.log_cap), program, *_arguments(job, job_dir, recipe.playbook)],
        "script": program,
        "env": environment(engine.recipes.ansible_dir, job_dir, scratch),
        "settings": _settings(job_dir, scratch, targets, recipe.sidecar),
        "scratch": scratch,
        "timeout": job.timeout_seconds,
        "grace": engine.cancel_grace,
        "connections": _keep_connections(engine, job, recipe, targets, hosts),
        "resets": _resets(engine, targets),
        "pass_over_prompts": recipe.sidecar.pass_over_prompts,
        "interpreters": interpreters.kept(targets, datetime.now(UTC)),
        "expects": recipe.sidecar.expects,
    }
    job_dir.make()
    job_dir.link_group_vars(engine.recipes.ansible_dir / "group_vars")
    job_dir.write(job_dir.hosts, hosts_ini(targets).encode())
    job_dir.write(job_dir.known_hosts, known_hosts([target.server for target in targets]).encode())
    job_dir.write(job_dir.vars, vars_file(job.extra_vars or {}))
    job_dir.write(job_dir.spec, json.dumps(spec, indent=1).encode())
    words = words_of((target.login for target in targets), secret_vars, engine.mask_words)
    return [secret_inventory(hosts), json.dumps(words).encode()]


def _keep_connections(
    engine: Engine, job: ProvisionJob, recipe: Recipe, targets: list[Target], hosts: dict[str, dict[str, Any]]
) -> list[str]:
    """Let the connections of `hosts` outlive the job; their stems.

    Not those of a first contact: a job that comes over one, after `forgetHostKey` for one, learns no host key.
    """
    over_ssh = [target for target in targets if target.server.auth is not ServerAuthKind.LOCAL]
    over_ssh = [target for target in over_ssh if target.server.host_key or not target.server.strict_host_key]
    config = engine.recipes.ansible_dir / "ansible.cfg"
    content = config.read_text(errors="replace") if over_ssh and config.is_file() else ""
    stems = []
    for target in over_ssh:
        host_vars = hosts[host_name(target.server.id)]
        pinned = target.server.host_key
        stem = engine.connections.stem(
            target.server.id, host_vars, target.tags, pinned, job.extra_vars, recipe.name, recipe.revision, content
        )
        if stem is not None:
            keep_connection(host_vars, stem, engine.connections.seconds)
            stems.append(stem)
    return stems


def _resets(engine: Engine, targets: list[Target]) -> dict[str, list[str]]:
    """What ends together with a connection that the playbook resets: {"host port": beginnings of control paths}."""
    found: dict[str, list[str]] = {}
    for server in (target.server for target in targets if target.server.auth is not ServerAuthKind.LOCAL):
        found.setdefault(f"{server.host} {server.port}", []).append(engine.connections.all_of(server.id))
    return found


def _first_contacts(targets: list[Target]) -> dict[str, list[object]]:
    """Where this job may learn a host key: {server id: [host, port]} as they stand now."""
    servers = [target.server for target in targets if target.server.auth is not ServerAuthKind.LOCAL]
    return {str(server.id): [server.host, server.port] for server in servers if not server.host_key}


def _child(log_cap: int) -> list[str]:
    """What runs ansible-playbook, given as the next words."""
    return [*command("ansible_child"), str(_WORDS_FD), str(log_cap)]


def _arguments(job: ProvisionJob, job_dir: JobDir, playbook: Path) -> list[str]:
    argv = [
        "-i",
        str(job_dir.hosts),
        "-i",
        f"/dev/fd/{_SECRET_FD}",
        str(playbook),
    ]
    argv += ["-vv"]
    argv += ["-e", f"@{job_dir.vars.name}"] if job.extra_vars else []
    argv += ["--check"] if job.check_mode else []
    argv += ["--diff"] if job.diff else []
    argv += [f"--tags={','.join(job.tags)}"] if job.tags else []
    argv += [f"--skip-tags={','.join(job.skip_tags)}"] if job.skip_tags else []
    return argv


def find_ansible_playbook() -> str:
    """The ansible-playbook of this environment, else of PATH; LaunchFailed if there is none."""
    beside = Path(sys.executable).with_name("ansible-playbook")
    found = str(beside) if beside.is_file() else shutil.which("ansible-playbook")
    if found is None:
        raise LaunchFailed("ansible-playbook is not installed: install ansible-core beside Playcast")
    return found


def _settings(job_dir: JobDir, scratch: str, targets: list[Target], sidecar: Sidecar) -> dict[str, str]:
    """The settings for the ansible of this job."""
    kinds = {target.server.auth for target in targets}
    if ServerAuthKind.PASSWORD in kinds and shutil.which("sshpass") is None:
        raise LaunchFailed("sshpass is not installed, and a server of this job logs in with a password")
    chosen = settings(job_dir, scratch)
    if not sidecar.pipelining:
        chosen["ANSIBLE_PIPELINING"] = "False"
    if sidecar.fact_cache is not None:
        chosen |= {"ANSIBLE_CACHE_PLUGIN": "playcast_facts", "PLAYCAST_FACTS": str(_FACTS_FD)}
        # Only where there are none.
        chosen["ANSIBLE_GATHERING"] = "smart"
    if ServerAuthKind.SSH_KEY in kinds:
        # A private agent for this job: the key goes into it and never to disk.
        chosen["ANSIBLE_SSH_AGENT"] = "auto"
    return chosen


async def _start_supervisor(starter: Starter, job_dir: JobDir, private: list[bytes]) -> None:
    with ExitStack() as opened:
        fds = []
        for name, content in zip(("inventory", "words", "facts"), private, strict=False):
            fds.append(sealed(f"playcast-{name}", content))
            opened.callback(os.close, fds[-1])
        starting = asyncio.ensure_future(starter.start(job_dir.path, fds))
        try:
            await asyncio.shield(starting)
        finally:
            # The server may stop meanwhile: a job that is halfway started would lose its temporary directory.
            await asyncio.wait([starting])
