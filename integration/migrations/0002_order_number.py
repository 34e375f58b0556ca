"""Where order numbers come from: a sequence, or a one-row counter where the database has none."""

from django.db import migrations

FIRST = 1001


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"CREATE SEQUENCE integration_order_number START {FIRST}")
    else:
        schema_editor.execute("CREATE TABLE integration_order_number (value bigint NOT NULL)")
        schema_editor.execute(f"INSERT INTO integration_order_number VALUES ({FIRST - 1})")


def drop(apps, schema_editor):
    kind = "SEQUENCE" if schema_editor.connection.vendor == "postgresql" else "TABLE"
    schema_editor.execute(f"DROP {kind} integration_order_number")


class Migration(migrations.Migration):
    dependencies = [("integration", "0001_initial")]
    operations = [migrations.RunPython(create, drop)]
