"""What is true: the tables, the legal moves between job states, and the queries over them."""

from models.chunk import LogChunk
from models.job import FINAL, FailureReason, JobStatus, ProvisionJob
from models.job_host import JobHost
from models.server import Server, ServerAuthKind, ServerTag

__all__ = [
    "FINAL",
    "FailureReason",
    "JobHost",
    "JobStatus",
    "LogChunk",
    "ProvisionJob",
    "Server",
    "ServerAuthKind",
    "ServerTag",
]
