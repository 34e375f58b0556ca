"""The numbers of inventory's history follow the versions of its aggregates, also where a migration once numbered it wrongly."""

from django.db import migrations

from integration.read_models.numbering import renumber_history


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("inventory", "0004_fewer_indexes"), ("integration", "0012_code_of_builds")]
    operations = [renumber_history("inventory")]
