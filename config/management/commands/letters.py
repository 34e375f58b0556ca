"""`manage.py letters preview`: write an example of each kind of letter, in each language, to a folder."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from ordering.letters import EXAMPLES, LANGUAGES, in_language_of, render


class Command(BaseCommand):
    """Shows what letters look like. It sends nothing."""

    help = "Write an example of each kind of letter as text and as HTML."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["preview"])
        parser.add_argument("--kind", choices=sorted(EXAMPLES), help="only this kind; its text is also printed")
        parser.add_argument("--language", choices=LANGUAGES, help="only this language")
        parser.add_argument("--folder", type=Path, default=settings.VAR / "letters", help="where to write the files")

    def handle(self, *args: Any, kind: str | None, language: str | None, folder: Path, **options: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for each in [kind] if kind else EXAMPLES:
            for tag in [language] if language else LANGUAGES:
                with in_language_of(tag):
                    rendered = render(EXAMPLES[each](), "Ada Byron")
                (folder / f"{each}.{tag}.html").write_text(rendered.html, encoding="utf-8")
                (folder / f"{each}.{tag}.txt").write_text(rendered.text, encoding="utf-8")
                if kind:
                    self.stdout.write(f"{rendered.subject}\n\n{rendered.text}")
        self.stdout.write(f"The letters are in {folder}")
