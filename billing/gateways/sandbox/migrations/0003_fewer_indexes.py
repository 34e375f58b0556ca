"""Fewer indexes to write: see `integration.domain.indexes`."""

from django.db import migrations

from integration.domain.indexes import NoPatternIndexes


class Migration(migrations.Migration):
    dependencies = [("sandbox", "0002_books_by_the_clock")]
    operations = [NoPatternIndexes()]
