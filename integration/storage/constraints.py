"""Migration operations that add a check to an existing table on both databases.

On PostgreSQL a check is added without a scan of the table, and validated in the next migration, which blocks no writer.
SQLite has no such statements: it makes the table anew with the check, in the first of the two migrations.
"""

from typing import Any

from django.contrib.postgres import operations
from django.db.migrations import AddConstraint


class AddCheck(operations.AddConstraintNotValid):
    """Add a check that new and changed rows must satisfy at once. The next migration has the `ValidateCheck`."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        else:
            AddConstraint.database_forwards(self, app_label, schema_editor, from_state, to_state)


class ValidateCheck(operations.ValidateConstraint):
    """Let PostgreSQL check the rows that were there before `AddCheck`; on SQLite there is nothing left to do."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
