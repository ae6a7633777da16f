"""What is true: the tables, the legal moves between job states, and the queries over them."""

from models.chunk import LogChunk
from models.job import FINAL, FailureReason, FenceLost, JobStatus, ProvisionJob
from models.job_event import HostTaskStatus, JobEvent
from models.job_host import JobHost
from models.pruned_job import PrunedJob
from models.server import Server, ServerAuthKind, ServerTag
from models.server_lock import ServerLock
from models.server_wait import ServerWait
from models.worker_entry import WorkerEntry
from models.write_probe import WriteProbe

__all__ = [
    "FINAL",
    "FailureReason",
    "FenceLost",
    "HostTaskStatus",
    "JobEvent",
    "JobHost",
    "JobStatus",
    "LogChunk",
    "ProvisionJob",
    "PrunedJob",
    "Server",
    "ServerAuthKind",
    "ServerLock",
    "ServerTag",
    "ServerWait",
    "WorkerEntry",
    "WriteProbe",
]
