"""A server process of its own, so that its CPU and memory are its own."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import psutil

ROOT = Path(__file__).resolve().parents[2]
FLOOD = "- name: Flood\n  hosts: all\n  gather_facts: false\n  tasks: []\n"
_CREATE = """
mutation($input: CreateServerInput!) { createServer(input: $input) { server { id } userErrors { message } } }
"""
_RUN = "mutation($input: RunProvisionInput!) { runProvision(input: $input) { job { number } userErrors { message } } }"


class Process:
    """`python -m MODULE` with a data directory of its own, up to the line that says that it works.

    What it logs goes to `log` beside that directory if it is to be `quiet`.
    """

    def __init__(self, folder: Path, module: str, quiet: bool = False, /, **environment: str) -> None:  # noqa: FBT001, FBT002 (a keyword would be a setting)
        folder.mkdir(exist_ok=True)
        self.data_dir = folder / "data"
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        env = {
            **kept,
            "PLAYCAST_DATA_DIR": str(self.data_dir),
            "PLAYCAST_PORT": "0",
            "PYTHONPATH": str(ROOT),
        } | environment
        command = [sys.executable, "-m", *module.split()]
        with (folder / "log").open("ab") if quiet else nullcontext() as log:
            self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder)
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        assert self.said, f"{module} did not start"
        self.usage = psutil.Process(self.process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def cpu(self) -> float:
        """CPU seconds so far, user and system."""
        times = self.usage.cpu_times()
        return float(times.user + times.system)

    def rss(self) -> int:
        """Resident bytes."""
        return int(self.usage.memory_info().rss)


class Server(Process):
    """A server on a free port; ended with the context."""

    def __init__(
        self,
        folder: Path,
        module: str = "bench.stand_in.serve",
        quiet: bool = False,  # noqa: FBT001, FBT002 (a keyword would be a setting)
        /,
        **environment: str,
    ) -> None:
        super().__init__(folder, module, quiet, **environment)
        found = re.search(r"http://\S+", self.said)
        assert found is not None, "the server did not start"
        self.url = found.group()

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of one operation."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer: dict[str, Any] = json.load(response)
        return answer["data"]  # type: ignore[no-any-return]  # JSON

    def add_server(self, **given: Any) -> str:
        """The id of a new server; LOCAL if nothing else is said."""
        fields = {"name": "here", "host": "localhost", "user": "root", "credential": {"local": True}, **given}
        return str(self.ask(_CREATE, input=fields)["createServer"]["server"]["id"])

    def metrics(self) -> list[str]:
        """The lines that Prometheus reads."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=60) as response:
            return str(response.read().decode()).splitlines()

    def run(self, recipe: str, *servers: str, **extra: int | str) -> int:
        """The number of a new job."""
        given = {"recipe": recipe, "serverIds": servers, "extraVars": extra or None}
        return int(self.ask(_RUN, input=given)["runProvision"]["job"]["number"])


def flood_ansible_dir(folder: Path) -> Path:
    """An ansible directory with the one recipe `flood`."""
    playbooks = folder / "ansible" / "playbooks"
    playbooks.mkdir(parents=True)
    (playbooks / "flood.yml").write_text(FLOOD)
    (folder / "ansible" / "ansible.cfg").write_text("[defaults]\n")
    return folder / "ansible"
