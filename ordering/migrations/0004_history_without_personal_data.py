"""From here on what is personal of ordering's history lies beside it."""

from django.db import migrations

from integration.history.moving_out import MovePersonalDataOut

FIELDS = {
    "ordering.buyer_registered": {"name": "text", "email": "text"},
    "ordering.buyer_profile_changed": {"name": "text", "email": "text", "default_shipping_address": "address"},
    "ordering.order_placed": {"shipping_address": "address", "payment_method": "text"},
    "ordering.order_cancellation_requested": {"note": "text"},
    "ordering.order_cancelled": {"note": "text"},
}


class Migration(migrations.Migration):
    dependencies = [("ordering", "0003_read_models"), ("integration", "0005_personal_data")]
    operations = [MovePersonalDataOut("History", FIELDS)]
