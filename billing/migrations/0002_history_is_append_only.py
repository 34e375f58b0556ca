"""From here on the database refuses to change what happened in billing."""

from django.db import migrations

from integration.history.append_only import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [AppendOnly("History")]
