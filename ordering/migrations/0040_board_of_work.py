"""Indexes of the orders on the board that need a person, and of those on hold."""

from django.db import migrations, models

from integration.storage.indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ordering", "0039_sales_per_hour")]
    operations = [
        AddIndexConcurrently(
            model_name="orderboard",
            index=models.Index(
                condition=models.Q(("needs_human", True)), fields=["build", "updated_at"], name="board_needs_human"
            ),
        ),
        AddIndexConcurrently(
            model_name="orderboard",
            index=models.Index(
                condition=models.Q(("on_hold", True)), fields=["build", "updated_at"], name="board_on_hold"
            ),
        ),
    ]
