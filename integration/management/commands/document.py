"""`manage.py document`: write the documents that are generated from the code, or check whether they are up to date."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from integration.documents.documents import documents


class Command(BaseCommand):
    """Writes the generated documents."""

    help = "Write docs/events.md, docs/costs.md, docs/asyncapi.json and docs/pictures/ from the code."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail if a document is stale")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        root = Path(settings.BASE_DIR)
        wanted = {root / path: text for path, text in documents().items()}
        stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
        left_over = sorted(set((root / "docs" / "pictures").glob("*.svg")) - wanted.keys())
        if check and (stale or left_over):
            names = ", ".join(str(path.relative_to(root)) for path in [*stale, *left_over])
            raise CommandError(f"stale: {names}; run `manage.py document`", returncode=1)
        for path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path])
        for path in left_over:
            path.unlink()
        self.stdout.write(f"{len(wanted)} documents, {len(stale)} of them were stale.")
