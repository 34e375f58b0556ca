"""Takes every open order of a migrated database to its end, with the current code, in one process.

    DATABASE_URL=… python -m tests.upgrades.ends

The program rebuilds the read models, checks the database and does the work of workers, beat, operators and carriers.
Where they would wait, it advances the clock. Then it checks the database again, and prints the status of each order
that REST lists, by number, as JSON. It fails if a check finds something or if deliveries stay pending.

The program uses only stored and public names: Celery tasks, routines, tables, commands and paths.
"""

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from celery import current_app  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402

from integration.domain import clock  # noqa: E402

OPERATOR = "operator"
FIRST_STEP, LONGEST_STEP = timedelta(seconds=1), timedelta(days=1)
"""How far the clock advances when nothing is due: the first step, then twice as far each time, up to the longest."""
MOST_WAITS = 100
"""Steps of the clock after which deliveries that are still pending count as stuck."""
LONGEST_STATEMENT = "600"
"""Seconds that a statement of a check may take, on a machine that runs other programs as well."""
REACH = "10000"
"""Days of payments to compare with the provider's, enough to include all."""


def main() -> None:
    """Check the database, finish all open work, and check it again."""
    current_app.loader.import_default_modules()
    manage("rebuild", "--all")  # rows of older code may be missing or wrong
    check()
    cancel_overdue_orders()
    deliver_everything()
    manage("deliveries", "replay", "--status", "dead")
    deliver_everything()
    client = APIClient(SERVER_NAME="localhost")
    client.force_authenticate(get_user_model().objects.get(username=OPERATOR))
    lift_holds(client)
    send_what_is_packed(client)
    decide_about_parcels(client)
    send_what_is_packed(client)
    take_back_returns(client)
    pass_deadlines()
    manage("reconcile_payments", "--days", REACH)
    deliver_everything()
    run("integration.follow-read-models")
    check("--provider", "--days", REACH)
    print(json.dumps({order["number"]: order["status"] for order in listed(client, "/api/v1/orders")}))


def check(*more: str) -> None:
    """Raise `CommandError` if an invariant is broken, or a row differs from what its history rebuilds."""
    manage("verify", "--newest", "0", "--timeout", LONGEST_STATEMENT, *more)
    manage("rebuild", "--all", "--check")


def manage(*command: str) -> None:
    """Run a command with its output on stderr."""
    call_command(*command, stdout=sys.stderr)


def run(routine: str) -> None:
    """Run a routine through its Celery task, as beat does."""
    current_app.tasks["waybill.run"](routine)


def cancel_overdue_orders() -> None:
    """Cancel the orders whose payment deadline has passed; each run cancels at most 200."""
    for _ in range(1 + count("SELECT count(*) FROM ordering_order") // 200):
        run("ordering.cancel-overdue-orders")


def deliver_everything() -> None:
    """Handle deliveries until none is pending; raises `RuntimeError` if some are stuck."""
    fewest, waits, step = sys.maxsize, 0, FIRST_STEP
    while pending := count("SELECT count(*) FROM integration_delivery WHERE status = 'pending'"):
        if pending < fewest:
            fewest, waits = pending, 0
        if queues := due():
            step = FIRST_STEP
            for context, external in queues:
                current_app.tasks["waybill.deliver"](context, bool(external))
        elif waits == MOST_WAITS:
            stuck = rows("SELECT id, consumer, error FROM integration_delivery WHERE status = 'pending'")
            raise RuntimeError(f"{pending} deliveries stay pending: {stuck[:20]}")
        else:
            clock.advance(step)
            waits, step = waits + 1, min(step * 2, LONGEST_STEP)


def due() -> list[tuple[str, bool]]:
    """Return the delivery queues in which something is due: the context, and whether the queue is external."""
    return rows(
        "SELECT DISTINCT context, integration_delivery.outside FROM integration_delivery"
        " WHERE status = 'pending' AND due_at <= %s",
        connection.ops.adapt_datetimefield_value(clock.now()),
    )


def send_what_is_packed(client: APIClient) -> None:
    """Dispatch and deliver every shipment, as operators and carriers do; raises `RuntimeError` if REST refuses."""
    sent = {"carrier": "Example Parcels", "tracking_number": "EP-1"}
    under_way = [(status, "deliver", {}) for status in ("dispatched", "in_transit", "delivery_failed")]
    for status, step, body in (("arranged", "dispatch", sent), *under_way):
        for shipment in list(listed(client, f"/api/v1/shipments?status={status}")):
            response = client.post(f"/api/v1/shipments/{shipment['id']}/{step}", body, format="json")
            if response.status_code != 200:
                raise RuntimeError(f"{shipment['id']} could not be sent: {response.status_code} {response.data}")
        deliver_everything()


def lift_holds(client: APIClient) -> None:
    """Lift the holds that keep goods from leaving."""
    for order in list(listed(client, "/api/v1/orders")):
        for hold in order["holds"]:
            if hold["status"] in ("requested", "active"):
                done(client.delete(f"/api/v1/orders/{order['number']}/holds/{hold['id']}"))
    deliver_everything()


def decide_about_parcels(client: APIClient) -> None:
    """Refund the first parcel that is lost, and the first that came back, and send the goods of all others again."""
    for status in ("lost", "returned_to_sender"):
        found = [each for each in listed(client, f"/api/v1/shipments?status={status}") if each["resolution"] is None]
        for n, shipment in enumerate(found):
            body = {"as": "send_again" if n else "refund"}
            done(client.post(f"/api/v1/shipments/{shipment['id']}/resolve", body, format="json"))
    deliver_everything()


def take_back_returns(client: APIClient) -> None:
    """Approve every return, and receive all that is expected."""
    for found in list(listed(client, "/api/v1/returns?status=requested")):
        done(client.post(f"/api/v1/returns/{found['id']}/approve", {}, format="json"))
    for status in ("approved", "received"):
        for found in list(listed(client, f"/api/v1/returns?status={status}")):
            left = {line["sku"]: line["quantity"] - line["received"] - line["lapsed"] for line in found["lines"]}
            lines = [{"sku": sku, "quantity": n, "disposition": "restock"} for sku, n in left.items() if n]
            if lines:  # without any, the last receipt waits for its refund
                done(client.post(f"/api/v1/returns/{found['id']}/receive", {"lines": lines}, format="json"))
    deliver_everything()


def done(response: Any) -> None:
    """Raise `RuntimeError` if REST refused a request."""
    if response.status_code not in (200, 202):
        raise RuntimeError(f"{response.request['PATH_INFO']} returned {response.status_code}: {response.data}")


def pass_deadlines() -> None:
    """Advance the clock past the last payment deadline, and cancel the orders that are not paid by then."""
    query = "SELECT max(payment_due_at) FROM ordering_order WHERE status IN ('pending', 'payment_pending')"
    (last,) = rows(query)[0]
    if last is not None:
        moment = last if isinstance(last, datetime) else datetime.fromisoformat(last).replace(tzinfo=UTC)
        clock.advance(max(moment - clock.now(), timedelta()) + timedelta(minutes=1))
        cancel_overdue_orders()
        deliver_everything()


def listed(client: APIClient, path: str) -> Iterator[dict[str, Any]]:
    """Yield the items of a list in the API, page after page."""
    page: str | None = f"{path}{'&' if '?' in path else '?'}page_size=200"
    while page:
        response = client.get(page)
        yield from response.data["results"]
        page = response.data["next"]


def count(query: str) -> int:
    """Return the number that a query selects."""
    return rows(query)[0][0]


def rows(query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall()


if __name__ == "__main__":
    main()
