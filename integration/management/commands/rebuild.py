"""`manage.py rebuild NAME`: rebuild a read model from its history while the system runs."""

from collections.abc import Callable
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from integration.domain.errors import DomainError
from integration.read_models.rebuild import differences, events_to_read, rebuild
from integration.read_models.registry import ReadModel, read_models
from integration.storage.outages import repeated_after_outages


class Command(BaseCommand):
    """Rebuilds read models."""

    help = (
        "Rebuild a read model from its whole history next to the live build, then swap the two. If the command is "
        "stopped, the live build is unchanged. With --check, only compare the two; the exit code is 1 if they differ."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="a read model's wire name")
        parser.add_argument("--all", action="store_true", help="every read model")
        parser.add_argument("--check", action="store_true", help="compare with the live build instead of replacing it")

    def handle(self, names: list[str], all: bool, check: bool, **options: Any) -> None:
        wrong = 0
        for model in _chosen(names, all):
            try:
                wrong += self._check(model) if check else self._rebuild(model)
            except DomainError as error:
                raise CommandError(f"{model.name}: {error.detail}") from error
            except KeyboardInterrupt:
                raise CommandError("Stopped; the live build is unchanged.", returncode=130) from None
        if wrong:
            raise CommandError(f"{wrong} differences", returncode=1)

    @repeated_after_outages
    def _rebuild(self, model: ReadModel) -> int:
        self._with_bar(model, lambda progress: rebuild(model, progress))
        self.stdout.write(f"{model.name} is rebuilt: {model.rows.objects.count():,} rows.")
        return 0

    @repeated_after_outages
    def _check(self, model: ReadModel) -> int:
        found = self._with_bar(model, lambda progress: differences(model, progress))
        for each in found:
            self.stdout.write(f"{model.name}: {each}")
        if not found:
            self.stdout.write(f"{model.name} matches its history.")
        return len(found)

    def _with_bar(self, model: ReadModel, work: Callable[[Callable[[int], None]], Any]) -> Any:
        console = Console(file=cast(TextIO, self.stderr), stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, disable=not self.stderr.isatty()) as bar:
            task = bar.add_task(model.name, total=events_to_read(model))
            return work(lambda applied: bar.update(task, completed=applied))


def _chosen(names: list[str], all: bool) -> list[ReadModel]:
    known = dict(read_models.items())
    if all == bool(names):
        raise CommandError("Specify a NAME, or --all. The read models are:\n  " + "\n  ".join(known))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise CommandError(f"No read model is named {unknown[0]!r}. The read models are:\n  " + "\n  ".join(known))
    return [known[name] for name in (known if all else dict.fromkeys(names))]
