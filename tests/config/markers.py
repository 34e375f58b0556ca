"""Markers used as a customer's personal data, and a search for them in all tables."""

from typing import Any

from django.db import connection

API = "/api/v1"
NAME, MAIL, STREET = "Zebulonia", "xylomail@example.com", "Quagmirestreet"
TOKEN, PASSWORD = "pm_card_wombat", "tr0ub4dor&3x"
ADDRESS = {"recipient": NAME, "street": STREET, "city": "London", "postal_code": "W1", "country": "GB"}


def places(marker: str) -> set[str]:
    """The tables that contain a marker; a message with its contract, other tables of integration with the column."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - the database's own names
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                found |= {_place(table, columns, row, i) for i, value in enumerate(row) if marker in str(value)}
    return found


def _place(table: str, columns: list[str], row: Any, i: int) -> str:
    if table == "integration_message":
        return f"{table}: {row[columns.index('name')]}"
    return f"{table}: {columns[i]}" if table.startswith("integration_") else table
