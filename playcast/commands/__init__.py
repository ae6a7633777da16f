"""The commands of `playcast`: each imports what it needs when it is called."""
