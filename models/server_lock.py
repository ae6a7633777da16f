"""Server locks: which job holds which server. The primary key makes a second holder impossible."""

from tortoise import fields
from tortoise.models import Model

from models.job import ProvisionJob
from models.server import Server


class ServerLock(Model):
    """One server, held by one job that is admitted and not final."""

    server: fields.OneToOneRelation[Server] = fields.OneToOneField(
        "models.Server", related_name="lock", primary_key=True, on_delete=fields.CASCADE
    )
    server_id: int
    job: fields.ForeignKeyRelation[ProvisionJob] = fields.ForeignKeyField(
        "models.ProvisionJob", related_name="locks", on_delete=fields.CASCADE
    )
    job_id: int
    taken_at = fields.DatetimeField()

    class Meta:
        table = "server_lock"
        table_description = "servers held by jobs"
        indexes = (("job",),)
