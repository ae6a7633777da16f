"""The database as the process opens it: its file or server, its migrations, its checkpoints."""
