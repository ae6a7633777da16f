"""Which servers a job was asked to run on, and how far it came on each."""

from tortoise import fields
from tortoise.models import Model

from models.job import ProvisionJob
from models.server import Server


class JobHost(Model):
    """One requested server of one job. The row outlives the server, so that history stays readable.

    The counters are Ansible's own; they move while the job runs, and the recap sets them for good.
    """

    id = fields.IntField(primary_key=True)
    job: fields.ForeignKeyRelation[ProvisionJob] = fields.ForeignKeyField(
        "models.ProvisionJob", related_name="hosts", on_delete=fields.CASCADE
    )
    job_id: int
    server: fields.ForeignKeyNullableRelation[Server] = fields.ForeignKeyField(
        "models.Server", related_name="job_hosts", null=True, on_delete=fields.SET_NULL
    )
    server_id: int | None
    host = fields.CharField(max_length=32)
    server_name = fields.CharField(max_length=64)
    ok = fields.IntField(default=0, db_default=0)
    changed = fields.IntField(default=0, db_default=0)
    failed = fields.IntField(default=0, db_default=0)
    skipped = fields.IntField(default=0, db_default=0)
    unreachable = fields.IntField(default=0, db_default=0)
    rescued = fields.IntField(default=0, db_default=0)
    ignored = fields.IntField(default=0, db_default=0)
    current_task = fields.CharField(max_length=255, null=True)
    # Whether each play that names it came to its end there. Null until the recap, and for good if there is none.
    served = fields.BooleanField(null=True)

    class Meta:
        table = "job_host"
        table_description = "requested servers of jobs"
        unique_together = (("job", "host"),)
        indexes = (("server", "job"),)
