"""A row that is written again and again, for no other reason than to see whether the database takes it."""

from tortoise import fields
from tortoise.models import Model


class WriteProbe(Model):
    """The one row, with nothing of meaning in it."""

    id = fields.IntField(primary_key=True, generated=False)
    filling = fields.BinaryField()

    class Meta:
        table = "write_probe"
        table_description = "written to see whether the database takes it"
