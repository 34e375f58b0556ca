"""From here on what is personal of billing's history lies beside it."""

from django.db import migrations

from integration.history.moving_out import MovePersonalDataOut

FIELDS = {
    "billing.invoice_issued": {"payment_method": "text"},
    "billing.payment_requested": {"method": "text"},
}


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_read_models"), ("integration", "0005_personal_data")]
    operations = [MovePersonalDataOut("History", FIELDS)]
