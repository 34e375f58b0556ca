"""Order numbers are unique and increasing, and drawing one does not block other orders."""

from django.db import connection

from integration.domain.identifiers import OrderNumber


def next_order_number() -> OrderNumber:
    """Return the next order number. It is unique; a unit of work that is rolled back may leave a gap."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # A sequence, because a counter row would stay locked until the previous order's transaction commits.
            cursor.execute("SELECT nextval('integration_order_number')")
        else:
            cursor.execute("UPDATE integration_order_number SET value = value + 1 RETURNING value")
        return OrderNumber(f"R-{cursor.fetchone()[0]}")
