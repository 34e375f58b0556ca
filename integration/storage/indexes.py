"""Every index costs time on each write, so no index exists that another index can replace.

* A foreign key has `db_index=False` if a constraint or another index starts with its column.
* On PostgreSQL Django adds a second index to each indexed text column, which serves only `LIKE 'x%'`. No query here
  uses it, and it took about fifty index entries for each order. These indexes are dropped after each `migrate`.

Indexes are created and dropped with `CONCURRENTLY` and without a transaction, so that reads and writes go on meanwhile.
"""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.postgres import operations
from django.db import connections
from django.db.migrations.operations import AddConstraint, AddIndex, AlterField, RemoveConstraint

PATTERN_INDEXES = """
    SELECT DISTINCT indexes.relname
    FROM pg_index JOIN pg_class AS indexes ON indexes.oid = indexrelid JOIN pg_class AS tables ON tables.oid = indrelid
        JOIN pg_opclass ON pg_opclass.oid = ANY (indclass::oid[])
    WHERE opcname IN ('varchar_pattern_ops', 'text_pattern_ops') AND right(indexes.relname, 5) = '_like'
        AND tables.relname = ANY (%s)
    ORDER BY indexes.relname
"""
"""The `LIKE` indexes that Django added: their names end in `_like`. An index that a context defines itself stays."""

DROP = 'DROP INDEX CONCURRENTLY IF EXISTS "{}"'


def drop_pattern_indexes(app_config: AppConfig, using: str, **kwargs: Any) -> None:
    """Drop a context's indexes for `LIKE 'x%'`. `migrate` calls this for each app when it is done."""
    connection, our_apps = connections[using], {"integration", *settings.CONTEXTS}
    if connection.vendor != "postgresql" or app_config.name.partition(".")[0] not in our_apps:
        return
    with connection.cursor() as cursor:
        cursor.execute(PATTERN_INDEXES, [[model._meta.db_table for model in app_config.get_models()]])
        for (name,) in cursor.fetchall():
            cursor.execute(DROP.format(name))


class AlterIndex(AlterField):
    """A migration operation for a field of which only the index changes; the migration needs `atomic = False`.

    On PostgreSQL Django's own `AlterField` would recreate a foreign key, and the database would check every row.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        field = model._meta.get_field(self.name)
        if field.db_index:
            schema_editor.execute(schema_editor._create_index_sql(model, fields=[field], concurrently=True))
        else:
            for name in schema_editor._constraint_names(model, [field.column], index=True, unique=False):
                schema_editor.execute(DROP.format(name))


class AddIndexConcurrently(operations.AddIndexConcurrently):
    """Django's operation, also for SQLite; the migration needs `atomic = False`.

    PostgreSQL leaves an invalid index behind if it is stopped. So an index of that name is dropped first.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(DROP.format(self.index.name))
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        else:
            AddIndex.database_forwards(self, app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
        else:
            AddIndex.database_backwards(self, app_label, schema_editor, from_state, to_state)


class AddUniqueConcurrently(AddConstraint):
    """Adds a unique constraint that has a condition or expressions; the migration needs `atomic = False`.

    Django creates such a constraint as a unique index. As in `AddIndexConcurrently`, an invalid one is dropped first.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        create = str(self.constraint.create_sql(model, schema_editor))
        schema_editor.execute(DROP.format(self.constraint.name))
        schema_editor.execute(create.replace("CREATE UNIQUE INDEX", "CREATE UNIQUE INDEX CONCURRENTLY", 1))

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(DROP.format(self.constraint.name))
        else:
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class RemoveUniqueConcurrently(RemoveConstraint):
    """Removes a unique constraint that has a condition or expressions; the migration needs `atomic = False`."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(DROP.format(self.name))
        else:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AddCheckNotValid(operations.AddConstraintNotValid):
    """Django's operation, also for SQLite: adds a check that all present rows are known to pass."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        else:
            AddConstraint.database_forwards(self, app_label, schema_editor, from_state, to_state)
