"""Starts one of the programs beside this file: `python OPTION… __main__.py PROGRAM ARGUMENT…`.

The folder does not belong on the path of modules, where its common names would hide others. It becomes the package
`playcast_programs`, without `runner` above it; its files import each other relatively, so that they work in both.
"""

import importlib
import os
import sys
from types import ModuleType

_PACKAGE = "playcast_programs"

if __name__ == "__main__":
    package = ModuleType(_PACKAGE)
    package.__path__ = [os.path.dirname(os.path.abspath(__file__))]
    sys.modules[_PACKAGE] = package
    sys.exit(importlib.import_module(f"{_PACKAGE}.{sys.argv[1]}").main(sys.argv[2:]))
