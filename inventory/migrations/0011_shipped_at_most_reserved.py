"""PostgreSQL looks at the lines that were there before the check was added."""

from django.db import migrations

from integration.storage.constraints import ValidateCheck


class Migration(migrations.Migration):
    dependencies = [("inventory", "0010_shipments_count_once")]

    operations = [ValidateCheck("reservationline", "shipped_at_most_reserved")]
