"""An index of the order board for clients that ask for what has changed."""

from django.db import migrations, models

from integration.storage.indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ordering", "0009_board_shown_at")]
    operations = [
        AddIndexConcurrently(
            model_name="orderboard", index=models.Index(fields=["build", "shown_at"], name="board_by_change")
        ),
    ]
