"""Events: what happened in a job, in order, as its callback plugin and its own states told it."""

import json
from datetime import datetime
from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from models.job import ProvisionJob


class HostTaskStatus(StrEnum):
    """How a task ended on a host."""

    OK = "OK"
    """It succeeded and changed nothing."""
    CHANGED = "CHANGED"
    """It changed something."""
    SKIPPED = "SKIPPED"
    """A condition left it out."""
    FAILED = "FAILED"
    """It failed."""
    IGNORED = "IGNORED"
    """It failed, or did not reach the server, and the playbook ignores that."""
    RESCUED = "RESCUED"
    """It failed, and its block has a `rescue` for that."""
    UNREACHABLE = "UNREACHABLE"
    """The server could not be reached."""


class JobEvent(Model):
    """One event. `seq` counts from 1 without gaps; `payload` is JSON text, since PostgreSQL's own JSON refuses NUL.

    `log_line` is the 1-based line of the log where its output begins, for events that have output.
    """

    id = fields.BigIntField(primary_key=True)
    job: fields.ForeignKeyRelation[ProvisionJob] = fields.ForeignKeyField(
        "models.ProvisionJob", related_name="events", on_delete=fields.CASCADE
    )
    job_id: int
    seq = fields.IntField()
    at = fields.DatetimeField()
    kind = fields.CharField(max_length=16)
    log_line = fields.BigIntField(null=True)
    payload = fields.TextField()

    class Meta:
        table = "job_event"
        table_description = "events of jobs"
        unique_together = (("job", "seq"),)

    @property
    def details(self) -> dict[str, Any]:
        """The payload, read."""
        value: dict[str, Any] = json.loads(self.payload)
        return value

    @classmethod
    def of(cls, job_id: int, seq: int, kind: str, at: datetime, details: dict[str, Any]) -> "JobEvent":
        """An event that is not stored yet."""
        return cls(job_id=job_id, seq=seq, kind=kind, at=at, payload=json.dumps(details, separators=(",", ":")))
