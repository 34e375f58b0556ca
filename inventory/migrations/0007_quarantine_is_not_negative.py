"""PostgreSQL looks at the stock items that were there before the check was added."""

from django.db import migrations

from integration.storage.constraints import ValidateCheck


class Migration(migrations.Migration):
    dependencies = [("inventory", "0006_quarantine")]

    operations = [ValidateCheck("stockitem", "quarantined_is_not_negative")]
