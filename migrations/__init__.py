"""Schema steps: one folder for each dialect, plain SQL made by aerich and reviewed like code."""
