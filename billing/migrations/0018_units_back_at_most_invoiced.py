"""PostgreSQL looks at the lines that were there before the check was added."""

from django.db import migrations

from integration.storage.constraints import ValidateCheck


class Migration(migrations.Migration):
    dependencies = [("billing", "0017_units_reversed")]

    operations = [ValidateCheck("invoiceline", "units_back_at_most_invoiced")]
