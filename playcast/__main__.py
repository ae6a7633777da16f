"""`python -m playcast` is the command `playcast`."""

from playcast.commands.cli import main

main()
