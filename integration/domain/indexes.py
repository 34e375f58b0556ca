"""Every index is written whenever a row is: there is none that another one does for.

* A foreign key with which a unique constraint begins has `db_index=False`.
* On PostgreSQL Django gives each text column that has an index a second one, by which alone it could look for
  `LIKE 'x%'`. Nobody does here, and an order took some fifty entries in them. A context lets go of its own in the
  migration after the one that brought such columns: `operations = [NoPatternIndexes()]`.
"""

from typing import Any

from django.db.migrations.operations import AlterField
from django.db.migrations.operations.base import Operation, OperationCategory

PATTERN_INDEXES = """
    SELECT DISTINCT indexes.relname
    FROM pg_index JOIN pg_class AS indexes ON indexes.oid = indexrelid JOIN pg_class AS tables ON tables.oid = indrelid
        JOIN pg_opclass ON pg_opclass.oid = ANY (indclass::oid[])
    WHERE opcname IN ('varchar_pattern_ops', 'text_pattern_ops') AND tables.relname = ANY (%s)
    ORDER BY indexes.relname
"""


class NoPatternIndexes(Operation):
    """A migration's step: from now on the tables of its context have no indexes for `LIKE 'x%'`.

    They stay away when it is taken back: the code of before does without them, too.
    """

    category = OperationCategory.SQL
    reduces_to_sql = False

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Models know nothing of these indexes."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            models = to_state.apps.get_app_config(app_label).get_models()
            with schema_editor.connection.cursor() as cursor:
                cursor.execute(PATTERN_INDEXES, [[model._meta.db_table for model in models]])
                found = cursor.fetchall()
            for (name,) in found:
                schema_editor.execute(f'DROP INDEX "{name}"')

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Nothing to do."""

    def describe(self) -> str:
        return "Have no indexes for LIKE"

    @property
    def migration_name_fragment(self) -> str:
        return "no_pattern_indexes"


class AlterIndex(AlterField):
    """A migration's step: as Django's, of a field that differs in its index alone.

    On PostgreSQL Django would make a foreign key anew, and have the database check all rows there are.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        field = model._meta.get_field(self.name)
        if field.db_index:
            for statement in schema_editor._field_indexes_sql(model, field):
                schema_editor.execute(statement)
        else:
            for name in schema_editor._constraint_names(model, [field.column], index=True, unique=False):
                schema_editor.execute(schema_editor._delete_index_sql(model, name))
