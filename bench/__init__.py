"""Figures as ratios against a baseline that runs beside them: `make bench`. Nothing here fails a test run."""
