"""What several processes on one PostgreSQL need beside it: wake-ups, a queue, a registry of workers and judges."""
