"""The log's limits: at the cap it is cut and the job goes on; on a full disk the job ends and says so."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from playcast import settings
from runner.errors import PlaycastError
from runner.job_dir import JobDir
from runner.programs.ansible_child import LOG_UNWRITABLE
from runner.programs.log_file import LogFile, log_was_cut
from tests.conftest import StartApp
from tests.support.disk import small_disk

AddRecipe = Callable[[str, str], None]

CAP = 65536
CUT = f"[playcast] the log was cut here: it reached PLAYCAST_LOG_CAP ({CAP} bytes); the job goes on\n"
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - {task}
    - ansible.builtin.file:
        path: "{after}"
        state: touch
"""
ITEMS = """ansible.builtin.debug:
        msg: "{{ ['line ' ~ item] * 100 }}"
      loop: "{{ range(100) | list }}"
"""
RESULT = """ansible.builtin.debug:
        msg: "{{ ['a line of a result'] * 50000 }}"
"""
WARN = '''
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

class ActionModule(ActionBase):
    """Prints from a worker: another thread of the main process writes that."""

    def run(self, tmp=None, task_vars=None):
        for number in range(200):
            Display().display(f"{number} " + "x" * 10_000)
        return {}
'''


async def test_the_log_is_cut_at_the_cap_and_the_job_goes_on(
    start_app: StartApp, add_recipe: AddRecipe, data_dir: Path, tmp_path: Path
) -> None:
    add_recipe("talks", PLAY.format(task=ITEMS, after=tmp_path / "after"))
    api = await start_app(log_cap=CAP)
    job = await api.run("talks", await api.create_server())

    log = "".join([chunk["text"] async for chunk in api.log(job["id"])])

    ended = await api.job(job["id"])
    assert (ended["status"], ended["failureReason"], ended["exitCode"]) == ("SUCCESS", None, 0)
    assert (tmp_path / "after").exists()
    file = JobDir(data_dir / "jobs", 1).log
    assert log.encode() == file.read_bytes()
    assert log.endswith("\n" + CUT)
    assert log.count("[playcast]") == 1
    # Whole lines up to the cap, and no more than one line short of it.
    assert CAP - 100 < len(log.encode()) - len(CUT) <= CAP
    assert log_was_cut(file)


@pytest.mark.parametrize("task", [RESULT, ITEMS.replace("100 ", "50000 "), "warn:"], ids=["result", "item", "worker"])
async def test_a_full_disk_ends_the_job(
    start_app: StartApp, add_recipe: AddRecipe, ansible_dir: Path, tmp_path: Path, task: str
) -> None:
    add_recipe("fills", PLAY.format(task=task, after=tmp_path / "after"))
    (ansible_dir / "playbooks" / "action_plugins").mkdir()
    (ansible_dir / "playbooks" / "action_plugins" / "warn.py").write_text(WARN)
    with small_disk(tmp_path / "disk", "1m") as disk:
        api = await start_app(jobs_dir=disk)
        begun = time.monotonic()
        job = await api.run("fills", await api.create_server())

        ended = await api.finished(job["id"])

        assert (ended["status"], ended["exitCode"]) == ("ERROR", LOG_UNWRITABLE)
        # And not only when its timeout is over.
        assert time.monotonic() - begun < 250
        job_dir = JobDir(disk, 1)
        assert job_dir.read_json(job_dir.exit) is not None
        assert ended["logSize"] == job_dir.log.stat().st_size > 900_000
        assert not log_was_cut(job_dir.log)
    # No task came after the one that filled it.
    assert not (tmp_path / "after").exists()


def write(tmp_path: Path, cap: int, *pieces: bytes, before: bytes = b"") -> bytes:
    """What is in a log after these were written to it."""
    log = tmp_path / "ansible.log"
    log.write_bytes(before)
    fd = os.open(log, os.O_WRONLY | os.O_APPEND)
    file = LogFile(fd, cap)
    for piece in pieces:
        file.write(piece)
    os.close(fd)
    content = log.read_bytes()
    assert log_was_cut(log) is (b"[playcast]" in content)
    return content


def cut(cap: int) -> bytes:
    return CUT.replace(str(CAP), str(cap)).encode()


@pytest.mark.parametrize(
    ("pieces", "left"),
    [
        ([b"12345678\n", b"\n"], b"12345678\n\n"),
        ([b"12345678\n", b"12"], b"12345678\n" + cut(10)),
        ([b"123\n56\n89012345\n", b"more\n"], b"123\n56\n" + cut(10)),
        ([b"123456789\n\n", b"more\n"], b"123456789\n" + cut(10)),
        ([b"x" * 1_000_000], cut(10)),
        ([b"1234", b"5678", b"x" * 1_000_000, b"\n"], b"12345678\n" + cut(10)),
        ([b"1234", b"\n6", b"8\nx" * 9], b"1234\n68\n" + cut(10)),
        ([b"", b"", b"\n" * 10, b""], b"\n" * 10),
    ],
)
def test_where_it_is_cut(tmp_path: Path, pieces: list[bytes], left: bytes) -> None:
    assert write(tmp_path, 10, *pieces) == left


@pytest.mark.parametrize(
    ("before", "left"),
    [
        (b"12345", b"12345\n" + cut(10)),
        (b"1234\n67", b"1234\n67\n" + cut(10)),
        (b"x" * 20, b"x" * 20 + b"\n" + cut(10)),
    ],
)
def test_what_is_in_the_log_already_counts(tmp_path: Path, before: bytes, left: bytes) -> None:
    assert write(tmp_path, 10, b"678901\n", before=before) == left


def test_only_its_own_last_line_says_that_a_log_was_cut(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert not log_was_cut(log)
    for content, was_cut in [
        ("", False),
        (CUT, True),
        ("x\n" * 1000 + CUT, True),
        ("x" + CUT, False),
        (CUT + "x\n", False),
        (CUT[:-1], False),
        (CUT.replace("65536", "many"), False),
    ]:
        log.write_text(content)
        assert log_was_cut(log) is was_cut, content[-120:]


def test_the_smallest_cap_and_the_default() -> None:
    assert settings.load({}).log_cap == 1024**3
    assert settings.load({}, log_cap=CAP).log_cap == CAP
    with pytest.raises(PlaycastError, match=r"^PLAYCAST_LOG_CAP: Input should be greater than or equal to 65536$"):
        settings.load({}, log_cap=CAP - 1)
