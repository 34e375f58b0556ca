"""PostgreSQL looks at the lines that were there before the check was added."""

from django.db import migrations

from integration.storage.constraints import ValidateCheck


class Migration(migrations.Migration):
    dependencies = [("billing", "0018_units_of_invoice_lines_are_gone")]

    operations = [ValidateCheck("invoiceline", "units_gone_at_most_invoiced")]
