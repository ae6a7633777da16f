"""The least that could do the same."""
