"""`manage.py contracts`: check, write and list the contracts, their committed schemas and all stored names."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.table import Table
from rich.text import Text

from integration.contracts import registry
from integration.contracts.contract import IntegrationEvent, contracts
from integration.contracts.examples import NoExample
from integration.documents.asyncapi import asyncapi
from integration.documents.promised_names import verdicts_on_names, write_names
from integration.management.listing import add_json_option, print_json, print_table
from integration.messaging.consumers import consumers_of


class Command(BaseCommand):
    """Checks, writes and lists contracts."""

    help = "Check the contracts against the committed schemas, write new schemas, or list the contracts."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
        verbs.add_parser("check", help="fail unless every change since the committed schemas is compatible")
        verbs.add_parser("write", help="write the schemas of new events, new versions and compatible changes")
        verbs.add_parser("asyncapi", help="print the AsyncAPI 3 document of all contracts, as JSON")
        add_json_option(verbs.add_parser("list", help="every contract: its version, publisher, consumers and meaning"))

    def handle(self, *args: Any, verb: str, json: bool = False, **options: Any) -> None:
        if verb == "list":
            self._list(json)
        else:
            {"check": self._check, "write": self._write, "asyncapi": self._asyncapi}[verb]()

    def _check(self) -> None:
        events, names = list(registry.verdicts()), list(verdicts_on_names())
        verdicts = [*events, *names]
        for verdict in verdicts:
            for sentence in verdict.news:
                self.stdout.write(f"{verdict.name}: {sentence}")
        wrong = [f"{verdict.name}: {sentence}" for verdict in verdicts for sentence in verdict.wrong]
        if wrong:
            raise CommandError("\n".join(wrong), returncode=1)
        self.stdout.write(f"{len(events)} events are compatible with their committed schemas.")

    def _write(self) -> None:
        try:
            if any(verdict.wrong for verdict in verdicts_on_names()):
                raise registry.BrokenPromise(registry.BrokenPromise.__doc__)
            written = [*registry.write(), *write_names()]
        except (registry.BrokenPromise, NoExample) as error:
            raise CommandError(str(error), returncode=1) from error
        for path in written:
            self.stdout.write(str(path))
        self.stdout.write(f"{len(written)} files written.")

    def _asyncapi(self) -> None:
        self.stdout.write(json.dumps(asyncapi(), indent=2, ensure_ascii=False))

    def _list(self, as_json: bool) -> None:
        if as_json:
            print_json(self, [_as_data(name, event) for name, event in contracts.items()])
            return
        table = Table("Contract", "Version", "Publisher", "Consumers", "Meaning")
        for name, event in contracts.items():
            row = _as_data(name, event)
            consumers = "\n".join(row["consumers"]) or "–"
            cells = (name, str(row["version"]), row["publisher"], consumers, row["meaning"])
            table.add_row(*map(Text, cells))
        print_table(self, table)


def _as_data(name: str, event: type[IntegrationEvent]) -> dict[str, Any]:
    return {
        "contract": name,
        "version": event.schema_version,
        "publisher": registry.context_of(name),
        "consumers": [consumer.name for consumer in consumers_of(event)],
        "meaning": registry.meaning_of(event),
    }
