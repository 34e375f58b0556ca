"""PostgreSQL checks the totals of the orders that were there before."""

from django.db import migrations

from integration.storage.constraints import ValidateCheck


class Migration(migrations.Migration):
    dependencies = [("ordering", "0011_prices_of_an_order")]

    operations = [ValidateCheck(model_name="order", name="order_total_adds_up")]
