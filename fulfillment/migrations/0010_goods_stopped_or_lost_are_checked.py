"""PostgreSQL looks at the goods that were counted before the check was added."""

from django.db import migrations

from integration.storage.constraints import ValidateCheck


class Migration(migrations.Migration):
    dependencies = [("fulfillment", "0009_goods_stopped_or_lost")]

    operations = [ValidateCheck("fulfillmentline", "each_unit_goes_one_way")]
