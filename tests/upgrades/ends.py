"""The code of today takes a migrated database on: all that is open comes to its end, in one process.

    DATABASE_URL=… python -m tests.upgrades.ends

checks the database, does what workers, beat, operators and carriers would do, with the clock moved on wherever they
would wait, checks it again, and prints the orders that REST lists then, as JSON: their statuses by number. It ends with
an error where a check finds something, or work does not end.

Only stored and public names are used: Celery tasks, routines, tables, commands and paths.
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
"""So far the clock is moved first when nothing is due, then twice as far, and so on."""
MOST_WAITS = 100
"""So often is the clock moved without fewer deliveries being pending: what still is will not be done."""
REACH = "10000"
"""So many days back our books are compared with the provider's: all there are."""


def main() -> None:
    """Take the database on, from check to check."""
    current_app.loader.import_default_modules()
    check()
    cancel_overdue_orders()
    deliver_everything()
    manage("deliveries", "replay", "--status", "dead")
    deliver_everything()
    client = APIClient(SERVER_NAME="localhost")
    client.force_authenticate(get_user_model().objects.get(username=OPERATOR))
    send_what_is_packed(client)
    pass_deadlines()
    manage("reconcile_payments", "--days", REACH)
    deliver_everything()
    run("integration.follow-read-models")
    check("--provider", "--days", REACH)
    print(json.dumps({order["number"]: order["status"] for order in listed(client, "/api/v1/orders")}))


def check(*more: str) -> None:
    """Raise `CommandError` if an invariant is broken, or a read model is not what its history tells."""
    manage("verify", "--newest", "0", *more)
    manage("rebuild", "--all", "--check")


def manage(*command: str) -> None:
    """Run a command; what it says goes to stderr."""
    call_command(*command, stdout=sys.stderr)


def run(routine: str) -> None:
    """Run a routine as beat has it run."""
    current_app.tasks["waybill.run"](routine)


def cancel_overdue_orders() -> None:
    """Cancel the orders whose payment deadline has passed, as many runs as that takes."""
    for _ in range(1 + count("SELECT count(*) FROM ordering_order") // 200):
        run("ordering.cancel-overdue-orders")


def deliver_everything() -> None:
    """Handle deliveries until none is pending; raises `RuntimeError` when some never come to be done."""
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
    """Where something is due: a context, and whether it is about talking to others."""
    return rows(
        "SELECT DISTINCT context, outside FROM integration_delivery WHERE status = 'pending' AND due_at <= %s",
        connection.ops.adapt_datetimefield_value(clock.now()),
    )


def send_what_is_packed(client: APIClient) -> None:
    """Dispatch and deliver every shipment, as operators and carriers do."""
    sent = {"carrier": "Example Parcels", "tracking_number": "EP-1"}
    for status, step, body in (("arranged", "dispatch", sent), ("dispatched", "deliver", {})):
        for shipment in list(listed(client, f"/api/v1/shipments?status={status}")):
            answer = client.post(f"/api/v1/shipments/{shipment['id']}/{step}", body, format="json")
            if answer.status_code != 200:
                raise RuntimeError(f"{shipment['id']} could not be sent: {answer.status_code} {answer.data}")
        deliver_everything()


def pass_deadlines() -> None:
    """Move the clock past the last payment deadline, and cancel what is not paid by then."""
    query = "SELECT max(payment_due_at) FROM ordering_order WHERE status IN ('pending', 'payment_pending')"
    (last,) = rows(query)[0]
    if last is not None:
        moment = last if isinstance(last, datetime) else datetime.fromisoformat(last).replace(tzinfo=UTC)
        clock.advance(max(moment - clock.now(), timedelta()) + timedelta(minutes=1))
        cancel_overdue_orders()
        deliver_everything()


def listed(client: APIClient, path: str) -> Iterator[dict[str, Any]]:
    """What REST lists under a path, page after page."""
    page: str | None = f"{path}{'&' if '?' in path else '?'}page_size=200"
    while page:
        answer = client.get(page)
        yield from answer.data["results"]
        page = answer.data["next"]


def count(query: str) -> int:
    """The number that a query answers."""
    return rows(query)[0][0]


def rows(query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a query answers."""
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall()


if __name__ == "__main__":
    main()
