"""What a job needs to start: its inventory, its environment, and a supervisor, cold or from the launcher."""
