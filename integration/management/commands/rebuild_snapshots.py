"""`manage.py rebuild_snapshots`: rebuild all snapshots, after a change of the code or if a snapshot is wrong."""

from typing import Any

from django.core.management.base import BaseCommand

from integration.aggregates.rebuild import aggregates, rebuild_snapshots
from integration.storage.outages import repeated_after_outages


class Command(BaseCommand):
    """Rebuilds all snapshots."""

    help = (
        "Rebuild all snapshots from the histories. Snapshots hold no data of their own; they only make it faster to "
        "compute past states."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        for model in aggregates():
            self.stdout.write(f"{model.__name__}: {repeated_after_outages(rebuild_snapshots)(model):,} snapshots")
