"""Log chunks: the copy of `ansible.log` that every API process can read."""

from tortoise import fields
from tortoise.models import Model

from models.job import ProvisionJob

MAX_BYTES = 64 * 1024


class LogChunk(Model):
    """A run of log bytes. `start` (byte offset) is identity, order and cursor; `first_line` is 1-based."""

    id = fields.BigIntField(primary_key=True)
    job: fields.ForeignKeyRelation[ProvisionJob] = fields.ForeignKeyField(
        "models.ProvisionJob", related_name="chunks", on_delete=fields.CASCADE
    )
    job_id: int
    start = fields.BigIntField()
    first_line = fields.BigIntField()
    data: bytes = fields.BinaryField()
    emitted_at = fields.DatetimeField()

    class Meta:
        table = "log_chunk"
        table_description = "log bytes of jobs"
        unique_together = (("job", "start"),)
