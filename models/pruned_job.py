"""Pruned jobs: what is still known of them, so that each machine removes the files that they have left there."""

from tortoise import fields
from tortoise.models import Model


class PrunedJob(Model):
    """One job whose row has gone, until the worker that ran it has removed its directory.

    `created_at` is that of the job: with it nobody takes the directory of another database for it.
    """

    job_id = fields.IntField(primary_key=True, generated=False)
    created_at = fields.DatetimeField()
    pruned_at = fields.DatetimeField()

    class Meta:
        table = "pruned_job"
        table_description = "jobs that are gone, and may have left files"
        indexes = (("pruned_at",),)
