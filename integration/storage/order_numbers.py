"""Order numbers: unique and increasing, drawn without making one order wait for another."""

from django.db import connection

from integration.domain.identifiers import OrderNumber


def next_order_number() -> OrderNumber:
    """The next order's number, unique; a unit of work that fails may leave a gap."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # A sequence, because a counter row would make every order wait for the one before to commit.
            cursor.execute("SELECT nextval('integration_order_number')")
        else:
            cursor.execute("UPDATE integration_order_number SET value = value + 1 RETURNING value")
        return OrderNumber(f"R-{cursor.fetchone()[0]}")
