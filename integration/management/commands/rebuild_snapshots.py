"""`manage.py rebuild_snapshots`: make looks at the past quick again, after a change of the code or a wrong snapshot."""

from typing import Any

from django.core.management.base import BaseCommand

from integration.aggregates.rebuild import aggregates, rebuild_snapshots


class Command(BaseCommand):
    """Makes all snapshots anew."""

    help = (
        "Make all snapshots anew from the histories alone. Nothing is lost without them; looks at the past get slower."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        for model in aggregates():
            self.stdout.write(f"{model.__name__}: {rebuild_snapshots(model):,} snapshots")
