"""PostgreSQL looks at the lines that were there before the check was added."""

from django.db import migrations

from integration.storage.constraints import ValidateCheck


class Migration(migrations.Migration):
    dependencies = [("inventory", "0012_reservation_lines_are_released")]

    operations = [ValidateCheck("reservationline", "shipped_or_released_at_most_reserved")]
