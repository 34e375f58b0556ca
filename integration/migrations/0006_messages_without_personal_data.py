"""From here on what is personal of a message lies beside it."""

from django.db import migrations

from integration.history.moving_out import MovePersonalDataOut

FIELDS = {
    "ordering.order-placed": {"payment_method": "text"},
    "ordering.shipping-requested": {"recipient": "address"},
}


class Migration(migrations.Migration):
    dependencies = [("integration", "0005_personal_data")]
    operations = [
        MovePersonalDataOut("Message", FIELDS, append_only=False),
        MovePersonalDataOut("ArchivedMessage", FIELDS, append_only=False),
    ]
