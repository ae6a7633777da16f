"""What a wheel brings along."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.serving import CHECKOUT
from web.build import DIST


def test_a_wheel_brings_the_page_and_the_playbooks(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(CHECKOUT)], check=True, cwd=tmp_path, timeout=100)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        page = {name.removeprefix("playcast/_page/") for name in names if name.startswith("playcast/_page/")}
        assert page == {path.relative_to(DIST).as_posix() for path in DIST.rglob("*") if path.is_file()}
        assert archive.read("playcast/_page/index.html") == (DIST / "index.html").read_bytes()
    assert "playcast/_ansible/playbooks/base.yml" in names
    assert [name for name in names if name.startswith(("web/", "tests/")) or name == "hatch_build.py"] == []
