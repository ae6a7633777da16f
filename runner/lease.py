"""How long a worker counts as alive, in seconds."""

HEARTBEAT_SECONDS = 2.0
"""How often a worker says that it lives."""
LEASE_SECONDS = 15.0
"""After this long without a word its jobs are judged lost."""
STANDSTILL_SECONDS = LEASE_SECONDS / 3
"""After this long without a word a transaction is ended: it must be over before the lease is, or nobody is judged."""
