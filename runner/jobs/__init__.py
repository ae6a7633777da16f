"""Running jobs: a worker claims them, launches them, and moves them through their states."""
