"""What the launcher has read ahead is what ansible would have read itself, and gives way to what others put first."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runner.programs import ansible_preload

# In a process of its own: it changes ansible's inside.
PROGRAM = """
import importlib.util, io, json, sys, zipfile
from datetime import UTC, datetime

spec = importlib.util.spec_from_file_location("preload", sys.argv[1])
preload = importlib.util.module_from_spec(spec)
spec.loader.exec_module(preload)

from ansible.executor import module_common
from ansible.utils.collection_loader import _collection_finder as collections

calls = {"find": 0, "parse": 0}
find, parse = module_common.recursive_finder, collections._meta_yml_to_dict

def counting(name, function):
    def call(*given):
        calls[name] += 1
        return function(*given)
    return call

module_common.recursive_finder = counting("find", find)
collections._meta_yml_to_dict = counting("parse", parse)
preload.preload()
left = sorted(name for name in sys.modules if name.startswith("ansible_collections"))
finders = [type(finder).__name__ for finder in sys.meta_path if "Ansible" in type(finder).__name__]
ahead = dict(calls)

from ansible.plugins import loader
loader.init_plugin_loader([])
routing = collections._get_collection_metadata("ansible.builtin")
if len(sys.argv) > 2:
    loader.module_utils_loader.add_directory(sys.argv[2])

def payload(finder, name):
    path = loader.module_loader.find_plugin(name)
    source = open(path, "rb").read()
    extensions = module_common._builder.ExtensionManager.create(task_vars={})
    full_name = module_common._get_ansible_module_fqn(path)
    with zipfile.ZipFile(io.BytesIO(), "w") as made:
        metadata = finder(name, full_name, source, made, datetime.now(UTC), extensions)
        return [(file, made.read(file).hex()) for file in made.namelist()], repr(metadata)

names = [*preload._SENT, "group"]
same = {name: payload(module_common.recursive_finder, name) == payload(find, name) for name in names}
with open(collections.__file__.replace("utils/collection_loader/_collection_finder.py",
          "config/ansible_builtin_runtime.yml"), "rb") as file:
    text = file.read()
files = payload(module_common.recursive_finder, "ping")[0]
print(json.dumps({
    "left": left, "finders": finders, "ahead": ahead, "calls": calls, "same": same,
    "routing": collections._meta_yml_to_dict(text, "") == parse(text, ""), "size": len(routing),
    "basic": bytes.fromhex(dict(files)["ansible/module_utils/basic.py"]).decode(),
}))
"""
OWN = "# mine\nfrom ansible.module_utils.common.text.converters import to_text\n"


def told(ansible_dir: Path, *places: Path) -> dict[str, object]:
    command = [sys.executable, "-P", "-c", PROGRAM, ansible_preload.__file__, *map(str, places)]
    env = {"ANSIBLE_CONFIG": str(ansible_dir / "ansible.cfg"), "LANG": "C.UTF-8", "HOME": str(ansible_dir)}
    run = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    answer: dict[str, object] = json.loads(run.stdout)
    return answer


def test_it_is_what_ansible_would_read(ansible_dir: Path) -> None:
    answer = told(ansible_dir)
    assert answer["same"] == dict.fromkeys([*ansible_preload._SENT, "group"], True)
    assert answer["routing"] is True
    # Nothing of it ran in the launcher itself, and a job reads the rest alone: one module that is not usual.
    assert answer["ahead"] == {"find": 0, "parse": 0}
    assert answer["calls"] == {"find": 1, "parse": 0}
    assert (answer["left"], answer["finders"]) == ([], [])


def test_somebodys_own_module_utils_come_first(ansible_dir: Path, tmp_path: Path) -> None:
    own = tmp_path / "module_utils"
    own.mkdir()
    (own / "basic.py").write_text(OWN)
    answer = told(ansible_dir, own)
    assert answer["basic"] == OWN
    assert answer["same"] == dict.fromkeys([*ansible_preload._SENT, "group"], True)
    assert answer["calls"] == {"find": len(ansible_preload._SENT) + 2, "parse": 0}


def test_a_fork_that_fails_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="ansible's modules could not be read ahead"):
        ansible_preload._in_fork(lambda: 1 // 0)  # type: ignore[arg-type,return-value]  # it never returns
    assert "ZeroDivisionError" in capfd.readouterr().err


# Its fork has more to say than a pipe holds, and says it when the parent has gone.
FORK = """
import importlib.util, os, sys, time
spec = importlib.util.spec_from_file_location("preload", sys.argv[1])
preload = importlib.util.module_from_spec(spec)
spec.loader.exec_module(preload)

def find():
    print(os.getpid(), flush=True)
    time.sleep(float(sys.argv[2]))
    return b"x" * 1_000_000

preload._in_fork(find)
"""


@pytest.mark.parametrize("seconds", ["0", "600"])
def test_the_fork_ends_with_the_launcher(seconds: str) -> None:
    words = [sys.executable, "-c", FORK, ansible_preload.__file__, seconds]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) != process.pid
        process.kill()
        # The end of its output: nobody holds it open any more.
        assert process.stdout.read() == ""
