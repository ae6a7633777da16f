"""The process of a job: what a program prints through it, in whatever way, is masked; how it ends stays its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.programs import command
from runner.programs.ansible_child import LOG_UNWRITABLE
from runner.programs.masking import STARS
from runner.start.memory_files import sealed
from tests.start.test_supervisor import ended, exited, make, started

SECRET = "k9Xw-Q7zt'LmP"
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a script through the child process: (its exit code, its log)."""

    def start(script: str, *arguments: str, cap: int = 1_000_000, log: Path = tmp_path / "log") -> tuple[int, str]:
        program = tmp_path / "ansible-playbook"
        program.write_text(f"SECRET = {SECRET!r}\n{script}")
        words = sealed("words", json.dumps([SECRET, "é-secret"]).encode())
        line = [*command("ansible_child"), str(words), str(cap), str(program), *arguments]
        try:
            with log.open("ab", buffering=0) as out:
                done = subprocess.run(line, stdout=out, stderr=out, pass_fds=[words], check=False, timeout=20)
        finally:
            os.close(words)
        return done.returncode, log.read_bytes().decode(errors="surrogateescape") if log.is_file() else ""

    return start


@pytest.mark.parametrize(
    "script",
    [
        "print('<' + SECRET + '>')",
        "import sys\nsys.stderr.write(f'<{SECRET}>\\n')",
        "import sys\nfor letter in f'<{SECRET}>\\n': sys.stdout.write(letter), sys.stdout.flush()",
        "import sys\nout = sys.stdout.buffer\nfor letter in f'<{SECRET}>\\n': out.write(letter.encode()), out.flush()",
        "import sys\nfor letter in f'<{SECRET}>\\n': print(letter, end='', file=sys.__stderr__, flush=True)",
        "import sys\nsys.stdout.write(f'<{SECRET[:5]}'), sys.stderr.write(f'{SECRET[5:]}>\\n')",
        "import sys, threading\nthreading.Thread(target=print, args=[f'<{SECRET}>']).start()",
        "import os, sys\nsys.stdout.write(f'<{SECRET}')\nif os.fork(): os.wait(), print('>')",
        "import os, sys\nsys.stdout.write(f'<{SECRET}>')\nif os.fork(): os.wait(), print()\nelse: os._exit(0)",
        "import atexit\natexit.register(lambda: print(SECRET[9:] + '>'))\nprint('<' + SECRET[:9], end='')",
        "class Last:\n    def __del__(self, say=print): say(f'<{SECRET}>')\nlast = Last()",
        "import warnings\nwarnings.showwarning = lambda *a, **k: print(f'<{a[0]}>')\nwarnings.warn(SECRET)",
    ],
)
def test_no_way_to_print_shows_a_secret(run: Run, script: str) -> None:
    assert run(script) == (0, f"<{STARS}>\n")


def test_what_waits_is_in_the_log_at_the_end(run: Run) -> None:
    script = "import os, sys\nsys.stdout.write('no ' + SECRET[:6])\nos.write(1, b'|')\nsys.stdout.flush()"
    assert run(script) == (0, f"no |{SECRET[:6]}")


def test_all_else_is_in_the_log_at_once(run: Run) -> None:
    script = """
import os, sys
sys.stdout.write("out, no newline; ")
os.write(1, b"raw; ")
sys.stderr.write("err; ")
os.write(1, b"raw")
"""
    assert run(script) == (0, "out, no newline; raw; err; raw")


@pytest.mark.parametrize(
    ("script", "code", "log"),
    [
        ("raise SystemExit(7)", 7, ""),
        ("raise SystemExit", 0, ""),
        ("import sys\nsys.exit(f'<{SECRET}>')", 1, f"<{STARS}>\n"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, ""),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
        ("import signal\ntry: signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt: exit(99)", 99, ""),
        ("import os\nos._exit(5)", 5, ""),
    ],
)  # fmt: skip
def test_the_end_is_the_programs_own(run: Run, script: str, code: int, log: str) -> None:
    assert run(script) == (code, log)


@pytest.mark.parametrize(
    ("script", "code", "last"),
    [
        ("raise ValueError(SECRET)", 1, f"ValueError: {STARS}"),
        ("import signal\nsignal.raise_signal(signal.SIGINT)", -signal.SIGINT, "KeyboardInterrupt"),
        ("import 'x", 1, "SyntaxError: unterminated string literal (detected at line 2)"),
    ],
)
def test_a_traceback_is_told_and_masked(run: Run, script: str, code: int, last: str) -> None:
    found, log = run(script)
    assert found == code
    assert log.startswith("Traceback (most recent call last):\n")
    assert log.splitlines()[-1] == last
    assert SECRET not in log


def test_the_program_is_started_as_itself(run: Run, tmp_path: Path) -> None:
    script = """
import json, os, sys
more = [fd for fd in os.listdir("/proc/self/fd") if int(fd) > 2 and os.path.exists(f"/proc/self/fd/{fd}")]
seen = SECRET in open("/proc/self/cmdline").read() + open("/proc/self/environ").read()
print(json.dumps([sys.argv, __name__, __file__, [folder for folder in sys.path if "runner" in folder], more, seen]))
"""
    code, log = run(script, "-i", "hosts")
    program = str(tmp_path / "ansible-playbook")
    assert code == 0
    assert json.loads(log) == [[program, "-i", "hosts"], "__main__", program, [], [], False]


def test_ansible_finds_the_streams_it_knows(run: Run) -> None:
    script = """
import codecs, os, sys
for stream, fd in ((sys.stdout, 1), (sys.stderr, 2)):
    assert (stream.fileno(), stream.isatty(), stream.encoding, stream.buffer.fileno()) == (fd, False, "utf-8", fd)
    codecs.register_error("ours", lambda error: ("?", error.end))
    stream.write("\\udcff;")
    stream.reconfigure(errors="ours")
    write = stream.buffer.write
    stream.buffer.write = lambda data, write=write: write(data)
    stream.write("\\udcff\\r\\n")
"""
    assert run(script) == (0, "\\udcff;?\r\n" * 2)


def test_bytes_that_are_no_text_pass_through(run: Run) -> None:
    script = "import sys\nsys.stdout.buffer.write(bytes(range(256)) + 'é-secret'.encode() + b'\\xc3')"
    masked = bytes(range(256)) + STARS.encode() + b"\xc3"
    assert run(script) == (0, masked.decode(errors="surrogateescape"))


def test_a_log_that_cannot_be_written_ends_the_program(run: Run) -> None:
    full = Path("/dev/full")
    assert run("import time\nprint('lost')\ntime.sleep(15)", log=full) == (LOG_UNWRITABLE, "")
    assert run("import sys\nsys.stdout.write(SECRET[:5])", log=full) == (LOG_UNWRITABLE, "")
    assert run("import threading, time\nthreading.Thread(target=print).start()\ntime.sleep(15)", log=full)[0] == 74
    assert run("raise SystemExit(3)", log=full) == (3, "")


def test_a_worker_that_is_stopped_ends_its_message_first(run: Run) -> None:
    script = """
import multiprocessing, os, signal

messages = multiprocessing.SimpleQueue()

def work():
    signal.signal(signal.SIGINT, lambda *_: os._exit(9))
    messages.put("x" * 1_000_000)
    signal.pause()

worker = multiprocessing.Process(target=work)
worker.start()
messages._poll(None)
os.kill(worker.pid, signal.SIGINT)
worker.join(1)
print(len(messages.get()))
worker.join()
messages.put("the next one")
print(worker.exitcode, messages.get())
"""
    assert run(script) == (0, "1000000\n9 the next one\n")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        ("#!/bin/sh\nexec python3 ansible\n", "it is no Python script"),
        ("print('started')\n", "it is no Python script"),
        ("", "it is no Python script"),
    ],
    ids=["missing", "shell", "without a first line", "empty"],
)
def test_a_script_that_cannot_be_run_is_named(tmp_path: Path, content: str | None, reason: str) -> None:
    script = tmp_path / "ansible-playbook"
    if content is not None:
        script.write_text(content)
    job_dir = make(tmp_path, [sys.executable, str(script)], script=script)

    started(job_dir)

    message = f"{script} could not be started: {reason}"
    assert ended(job_dir) == {"reason": "exec_failed", "code": 127, "message": message}
    assert job_dir.log.read_bytes() == b""


@pytest.mark.parametrize(
    "first",
    [
        "#!/usr/bin/python3",
        "#!/usr/bin/env python3",
        "#!/bin/sh\n'''exec' \"/a long/path/python3\" \"$0\" \"$@\"\n' '''",
    ],
    ids=["path", "env", "long path"],
)
def test_every_way_to_write_a_python_script_is_known(tmp_path: Path, first: str) -> None:
    script = tmp_path / "ansible-playbook"
    script.write_text(f"{first}\nprint('started')\n")
    job_dir = make(tmp_path, [sys.executable, str(script)], script=script)

    started(job_dir)

    assert ended(job_dir) == exited(0)
    assert job_dir.log.read_text() == "started\n"
