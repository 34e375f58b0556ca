"""Every index is written whenever a row is: there is none that another one does for.

* A foreign key has `db_index=False` where a constraint or another index begins with it.
* On PostgreSQL Django gives each text column that has an index a second one, by which alone it could look for
  `LIKE 'x%'`. Nobody does here, and an order took some fifty entries in them: after each `migrate` they are let go of.

None is dropped in a transaction, and all while others read and write.
"""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db import connections
from django.db.migrations.operations import AlterField

PATTERN_INDEXES = """
    SELECT DISTINCT indexes.relname
    FROM pg_index JOIN pg_class AS indexes ON indexes.oid = indexrelid JOIN pg_class AS tables ON tables.oid = indrelid
        JOIN pg_opclass ON pg_opclass.oid = ANY (indclass::oid[])
    WHERE opcname IN ('varchar_pattern_ops', 'text_pattern_ops') AND right(indexes.relname, 5) = '_like'
        AND tables.relname = ANY (%s)
    ORDER BY indexes.relname
"""
"""Those that Django made by itself, which it calls so; one that a context asks for by a name of its own stays."""

DROP = 'DROP INDEX CONCURRENTLY IF EXISTS "{}"'


def drop_pattern_indexes(app_config: AppConfig, using: str, **kwargs: Any) -> None:
    """Let go of a context's indexes for `LIKE 'x%'`; what `migrate` calls when it is done, for each app."""
    connection, rooms = connections[using], {"integration", *settings.CONTEXTS}
    if connection.vendor != "postgresql" or app_config.name.partition(".")[0] not in rooms:
        return
    with connection.cursor() as cursor:
        cursor.execute(PATTERN_INDEXES, [[model._meta.db_table for model in app_config.get_models()]])
        for (name,) in cursor.fetchall():
            cursor.execute(DROP.format(name))


class AlterIndex(AlterField):
    """A step of a migration with `atomic = False`: as Django's, of a field that differs in its index alone.

    On PostgreSQL Django would make a foreign key anew, and have the database check all rows there are.
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
