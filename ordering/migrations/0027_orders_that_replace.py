"""An order may send the goods of another one again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ordering", "0026_cancelled_lines_and_holds_on_the_board")]
    operations = [
        migrations.AddField(
            model_name="order",
            name="replaces",
            field=models.CharField(blank=True, db_default="", default="", max_length=20),
        ),
    ]
