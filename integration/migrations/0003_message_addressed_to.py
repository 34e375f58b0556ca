from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integration", "0002_order_number")]
    operations = [
        migrations.AddField(
            model_name="message",
            name="addressed_to",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="how many consumers listened when it was published"
            ),
            preserve_default=False,
        ),
    ]
