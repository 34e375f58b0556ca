"""The numbers of ordering's history follow the versions of its aggregates, also where a migration once numbered it wrongly."""

from django.db import migrations

from integration.read_models.numbering import renumber_history


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ordering", "0005_fewer_indexes"), ("integration", "0012_code_of_builds")]
    operations = [renumber_history("ordering")]
