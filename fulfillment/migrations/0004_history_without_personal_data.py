"""From here on what is personal of fulfillment's history lies beside it."""

from django.db import migrations

from integration.history.moving_out import MovePersonalDataOut

FIELDS = {"fulfillment.shipment_arranged": {"recipient": "address"}}


class Migration(migrations.Migration):
    dependencies = [("fulfillment", "0003_read_models"), ("integration", "0005_personal_data")]
    operations = [MovePersonalDataOut("History", FIELDS)]
