"""A whole job on one real sshd: through Playcast against the bare command, interleaved."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.server import ROOT, Server
from tests.sshd import Sshd, make_key, missing_parts, start_sshd

ROUNDS = 7


def rows() -> list[tuple[str, str]]:
    """Each row of the table: what, and its figure."""
    what = "1 host, `base`: submit -> final state, against bare `ansible-playbook -vv`"
    missing = missing_parts()
    if missing is not None:
        return [(what, f"not measured: {missing}")]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        private, public = make_key(folder)
        key = folder / "key"
        key.write_text(private)
        key.chmod(0o600)
        with start_sshd(folder, authorized_key=public) as sshd, Server(folder, "playcast serve") as server:
            target = server.add_server(
                name="far",
                host=sshd.address,
                port=sshd.port,
                user=sshd.user,
                credential={"privateKey": private},
            )
            _through_playcast(server, target)
            ratios = []
            for _ in range(ROUNDS):
                bare = _bare(folder, sshd, key)
                ratios.append(_through_playcast(server, target) / bare)
    ordered = sorted(ratios)
    return [(what, f"{ordered[len(ordered) // 2]:.2f}x ({ordered[0]:.2f} to {ordered[-1]:.2f})")]


def _bare(folder: Path, sshd: Sshd, key: Path) -> float:
    """The command as a person types it, with the plain settings of ansible."""
    inventory = folder / "hosts.ini"
    address = f"ansible_host={sshd.address} ansible_port={sshd.port} ansible_user={sshd.user}"
    inventory.write_text(f"srv-1 {address} ansible_ssh_private_key_file={key}\n")
    program = shutil.which("ansible-playbook", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    control = tempfile.mkdtemp(prefix="pc-", dir="/tmp")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        # No master of an earlier round: each round connects anew, as Playcast does.
        "ANSIBLE_SSH_CONTROL_PATH_DIR": control,
    }
    command = [str(program), "-i", str(inventory), str(ROOT / "ansible" / "playbooks" / "base.yml"), "-vv"]
    began = time.monotonic()
    with (folder / "bare.log").open("wb") as log:
        subprocess.run(command, check=True, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder)
    return time.monotonic() - began


def _through_playcast(server: Server, target: str) -> float:
    began = time.monotonic()
    job = server.run("base", target)
    query = "query($id: ID!) { job(id: $id) { status message } }"
    while (state := server.ask(query, id=str(job))["job"])["status"] in ("PENDING", "RUNNING"):
        time.sleep(0.01)
    wall = time.monotonic() - began
    assert state["status"] == "SUCCESS", state
    return wall
