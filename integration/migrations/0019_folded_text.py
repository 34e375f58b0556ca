"""A function of PostgreSQL that folds case and accents for searches. Older code beside this does not call it."""

from django.db import migrations

from integration.storage.folding import add_to_postgresql


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("integration", "0018_login_counts")]
    operations = [add_to_postgresql()]
