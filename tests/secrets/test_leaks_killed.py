"""Whatever is killed with -9 while a job runs: no secret stays behind in clear, in files or in shared memory."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playcast.settings import LauncherMode
from runner.job_processes import marked, of_job
from tests.secrets.test_leaks import PASSWORD, SIDECAR, TOKEN_INPUT, holding
from tests.support.api import Api
from tests.support.launchers import until, until_it_serves_warm
from tests.support.serving import serving
from tests.support.sshd import make_key, require_sshd, start_sshd

USES = """
- name: Uses a secret
  hosts: all
  gather_facts: false
  tasks:
    - name: Write it over there
      ansible.builtin.copy:
        content: "{{{{ api_token }}}}"
        dest: "{folder}/{{{{ inventory_hostname }}}}"
        mode: "0600"
      no_log: true
    - name: Hold on
      ansible.builtin.shell: touch {folder}/held && cat > /dev/null && while [ ! -e {folder}/go ]; do sleep 0.1; done
      args:
        stdin: "{{{{ api_token }}}}"
      changed_when: false
      no_log: true
"""
TEMPORARY = Path("/tmp")  # noqa: S108 (where jobs keep what is temporary)


async def create(api: Api, tmp_path: Path, one: Any, two: Any) -> tuple[list[str], list[bytes]]:
    """Two servers, and every secret that must not be found."""
    private = tmp_path.joinpath("key").read_text()
    first = await api.create_server(
        name="key", host=one.address, port=one.port, user=one.user, credential={"privateKey": private}
    )
    second = await api.create_server(
        name="password", host=two.address, port=two.port, user=two.user, credential={"password": PASSWORD}
    )
    return [first, second], [PASSWORD.encode(), TOKEN_INPUT.encode(), private.splitlines()[2].encode()]


def found(data_dir: Path, secrets: list[bytes]) -> list[str]:
    """Where a secret lies in clear."""
    folders = [data_dir, Path("/dev/shm"), *TEMPORARY.glob("pc-*"), *TEMPORARY.glob("ansible*")]  # noqa: S108 (where a password could be left)
    return [path for folder in folders for path in holding(folder, secrets)]


@pytest.mark.parametrize(
    ("launcher", "victims"),
    [
        *(
            (LauncherMode.COLD, each)
            for each in ("supervisor", "ansible", "server", "server supervisor", "server ansible")
        ),
        *((LauncherMode.WARM, each) for each in ("supervisor", "ansible", "server supervisor")),
    ],
)
async def test_no_secret_outlives_a_kill(
    data_dir: Path,
    ansible_dir: Path,
    tmp_path: Path,
    add_recipe: Callable[[str, str], None],
    launcher: LauncherMode,
    victims: str,
) -> None:
    require_sshd()
    add_recipe("uses", USES.format(folder=tmp_path))
    (ansible_dir / "recipes" / "uses.yml").write_text(SIDECAR)
    private, public = make_key(tmp_path)
    (tmp_path / "key").write_text(private)
    with (
        start_sshd(tmp_path, "127.0.0.2", authorized_key=public) as one,
        start_sshd(tmp_path, "127.0.0.3", password=PASSWORD) as two,
    ):
        async with serving(data_dir, ansible_dir, launcher=launcher) as first:
            if launcher is LauncherMode.WARM:
                await until_it_serves_warm(first.api)
            servers, secrets = await create(first.api, tmp_path, one, two)
            job = await first.api.run("uses", *servers, extraVars={"api_token": TOKEN_INPUT})
            await until((tmp_path / "held").exists)
            run = json.loads((data_dir / "jobs/1/run.json").read_text())
            scratch = Path(json.loads((data_dir / "jobs/1/spec.json").read_text())["scratch"])
            pids = {
                "server": first.process.pid,
                "supervisor": run["supervisor"]["pid"],
                "ansible": run["ansible"]["pid"],
            }
            for victim in victims.split():
                os.kill(pids[victim], signal.SIGKILL)
            if "server" not in victims:
                ended = await first.api.finished(job["id"])
        (tmp_path / "go").touch()
        if "server" in victims:
            async with serving(data_dir, ansible_dir) as second:
                ended = await second.api.finished(job["id"])
    expected = {
        "server": ("SUCCESS", None),
        "supervisor": ("ERROR", "WORKER_LOST"),
        "ansible": ("ERROR", "WORKER_LOST"),
    }
    assert (ended["status"], ended["failureReason"]) == expected[victims.rsplit(maxsplit=1)[-1]]
    assert found(data_dir, secrets) == []
    assert not scratch.exists()
    assert (of_job(data_dir / "jobs/1"), marked(f"TMPDIR={scratch}")) == ([], [])
