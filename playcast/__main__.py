"""`python -m playcast` is the command `playcast`."""

from playcast.cli import main

main()
