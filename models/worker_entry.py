"""Workers: who runs jobs, and when each was last heard of. By the clock of the database, which all share."""

from tortoise import fields
from tortoise.models import Model


class WorkerEntry(Model):
    """One worker by its name. `home` is the mark of its data directory: another machine may have taken the name."""

    name = fields.CharField(max_length=128, primary_key=True)
    home = fields.CharField(max_length=32)
    slots = fields.IntField()
    version = fields.CharField(max_length=32)
    started_at = fields.DatetimeField()
    heartbeat_at = fields.DatetimeField()

    class Meta:
        table = "worker"
        table_description = "workers"
