"""PostgreSQL looks at the invoices that were there before the checks were added."""

from django.db import migrations

from integration.storage.constraints import ValidateCheck


class Migration(migrations.Migration):
    dependencies = [("billing", "0036_authorizations_that_lapse")]

    operations = [
        ValidateCheck("invoice", "captured_at_most_authorized"),
        ValidateCheck("invoice", "granted_at_most_owed_back_or_released"),
    ]
