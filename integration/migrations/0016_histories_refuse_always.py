"""The triggers of histories refuse changes even in a session with `session_replication_role = replica`."""

from django.db import migrations

from integration.history.append_only import refuse_always


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("integration", "0015_index_without_due_time")]
    operations = [refuse_always()]
