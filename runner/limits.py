"""Sizes that bound what one call may ask for; `system` tells them to clients."""

from datetime import timedelta

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 100
MAX_SERVERS_PER_JOB = 1000
MAX_ROWS = 2000
"""Rows that the answer to one operation may have, as they are estimated; a setting may say otherwise."""
DEFAULT_PAGE_BYTES = 64 * 1024
MAX_PAGE_BYTES = 1024 * 1024
MAX_TIMEOUT_SECONDS = 7 * 24 * 3600
MAX_PRIORITY = 1000
IDEMPOTENCY_WINDOW = timedelta(hours=24)
"""For how long a repeated idempotency key finds the job of the first call."""
MAX_ID = 2**31 - 1
"""The largest number that a row can have."""
