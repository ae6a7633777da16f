"""What the launcher reads ahead of time, its jobs need not read again; all else they read as in a run of its own."""

import subprocess
import sys
from pathlib import Path

import ansible
from runner import warm
from tests.serving import CHECKOUT

# `counted` stands where ansible has its parser, and `read` is how often it was asked.
PROGRAM = """
import importlib.util, sys
from ansible.utils.collection_loader import _collection_finder as finder
from ansible.utils.collection_loader import _collection_meta as meta
read = []
def counted(data, content_id):
    read.append(content_id)
    return meta._meta_yml_to_dict(data, content_id)
finder._meta_yml_to_dict = counted
spec = importlib.util.spec_from_file_location("warm", sys.argv[1])
warm = importlib.util.module_from_spec(spec)
spec.loader.exec_module(warm)
warm.preload()
assert read == [("ansible.builtin", "runtime.yml")], read
# As a run begins.
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([])
import ansible_collections.ansible.builtin as builtin
assert len(read) == 1, read
with open(sys.argv[2], "rb") as file:
    assert builtin._collection_meta == meta._meta_yml_to_dict(file.read(), None)
assert builtin._collection_meta["plugin_routing"]["filter"]["ipaddr"] == {"redirect": "ansible.netcommon.ipaddr"}
assert finder._meta_yml_to_dict(b"plugin_routing: {}", "other") == {"plugin_routing": {}}
assert read[1:] == ["other"], read
print("done")
"""


def test_the_routes_of_ansible_are_read_once(tmp_path: Path, ansible_dir: Path) -> None:
    routes = Path(ansible.__file__ or "").parent / "config" / "ansible_builtin_runtime.yml"
    env = {"ANSIBLE_CONFIG": str(ansible_dir / "ansible.cfg"), "ANSIBLE_HOME": str(tmp_path), "LANG": "C.UTF-8"}
    command = [sys.executable, "-I", "-c", PROGRAM, str(warm.__file__), str(routes)]
    ended = subprocess.run(command, env=env, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")
