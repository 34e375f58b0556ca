"""PostgreSQL looks at the lines that were there before the check was added."""

from django.db import migrations

from integration.storage.constraints import ValidateCheck


class Migration(migrations.Migration):
    dependencies = [("ordering", "0022_what_became_of_a_line")]

    operations = [ValidateCheck("orderline", "line_each_unit_goes_one_way")]
