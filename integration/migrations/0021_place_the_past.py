"""Past messages come first in the feed, the oldest first.

Older code beside this goes on publishing without places; `integration.place-in-feed` adds them.
"""

from typing import Any

from django.db import migrations


def place(apps: Any, schema_editor: Any) -> None:
    """Give each message without a place one, in the order of their ids, which begin with their moments."""
    schema_editor.execute(
        """
        INSERT INTO integration_feedposition (message)
        SELECT id FROM (
            SELECT id FROM integration_message UNION ALL SELECT id FROM integration_archivedmessage
        ) AS message
        WHERE NOT EXISTS (SELECT 1 FROM integration_feedposition AS placed WHERE placed.message = message.id)
        ORDER BY id
        """
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("integration", "0020_feed_positions")]
    operations = [migrations.RunPython(place, migrations.RunPython.noop)]
