"""A migration operation that moves personal data from a log table to the personal data store.

A context needs it when a field that was stored in the log before is marked as personal. The migration lists the fields
itself, because the code of the events may change after the migration was written.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.migrations.operations.base import Operation, OperationCategory

from integration.domain.address import ERASED
from integration.history.append_only import protect, unprotect
from integration.storage.pages import pages

CHUNK = 500
"""How many rows are read and written at a time."""

LEFT: Mapping[str, Callable[[Any], Any]] = {
    "text": lambda value: "",
    "address": lambda value: {**dict.fromkeys(value, ERASED), "country": value["country"]},
}
"""What remains of a value in the log, by the kind of the field."""

Fields = Mapping[str, Mapping[str, str]]


class MovePersonalDataOut(Operation):
    """Move these fields' values from a log table to the personal data store.

    Args:
        model_name: the model in the migration's own context, such as `History`.
        fields: by wire name of the event, the kind of each personal field: `text` or `address`.
        append_only: whether the table is append-only. If so, its triggers are dropped and created again.
    """

    category = OperationCategory.PYTHON
    reduces_to_sql = False

    def __init__(self, model_name: str, fields: Fields, append_only: bool = True) -> None:
        self.model_name, self.fields, self.append_only = model_name, fields, append_only

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Do nothing: the operation changes no table's schema."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._run(self._move_out, app_label, schema_editor, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._run(self._move_in, app_label, schema_editor, to_state)

    def describe(self) -> str:
        return f"Move personal data from {self.model_name} to the personal data store"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.model_name.lower()}_without_personal_data"

    def _run(self, move: Callable[[Any, Any, list[Any]], None], app_label: str, schema_editor: Any, state: Any) -> None:
        log = state.apps.get_model(app_label, self.model_name)
        personal_data = state.apps.get_model("integration", "PersonalData")
        table, vendor = log._meta.db_table, schema_editor.connection.vendor
        if not self.allow_migrate_model(schema_editor.connection.alias, log):
            return
        for statement in unprotect(table, vendor) if self.append_only else ():
            schema_editor.execute(statement)
        for rows in pages(log.objects.filter(name__in=self.fields), size=CHUNK):
            move(log, personal_data, rows)
        for statement in protect(table, vendor) if self.append_only else ():
            schema_editor.execute(statement)

    def _move_out(self, log: Any, personal_data: Any, rows: list[Any]) -> None:
        moved = []
        for row in rows:
            logged = {name: self._left(row, name) for name in self.fields[row.name] if row.data.get(name) is not None}
            values = {name: row.data[name] for name, left in logged.items() if row.data[name] != left}
            if values:
                row.data = {**row.data, **logged}
                event_id = row.pk if self.append_only else row.causation_id or row.pk
                moved.append(personal_data(id=row.pk, event_id=event_id, values=values))
        personal_data.objects.bulk_create(moved)
        moved_keys = {each.pk for each in moved}
        log.objects.bulk_update([row for row in rows if row.pk in moved_keys], ["data"])

    def _left(self, row: Any, name: str) -> Any:
        return LEFT[self.fields[row.name][name]](row.data[name])

    def _move_in(self, log: Any, personal_data: Any, rows: list[Any]) -> None:
        values = personal_data.objects.in_bulk([row.pk for row in rows])
        changed = [row for row in rows if row.pk in values]
        for row in changed:
            row.data = {**row.data, **values[row.pk].values}
        log.objects.bulk_update(changed, ["data"])
        personal_data.objects.filter(pk__in=list(values)).delete()
