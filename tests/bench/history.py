"""Creates a long history in the database: SQL repeats the rows of some complete orders under later numbers.

Waybill's own code places the first orders, with the clock moved back. Each repetition has its own order numbers, event
IDs and moments, and adds as many versions to goods and buyers. So every table and every index has its real size.
`verify` would not pass this history: the buyers' spend stays as it was. Otherwise every buyer would get a discount, and
the measured orders would differ from those in an empty database.
"""

import shutil
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg

from tests.bench.stage import Stage

FIRST_NUMBER = 10_000_000
"""The first order number. It has so many digits that no other number in a row can be mistaken for it."""
AGE = timedelta(days=60)
MODELS = 500
"""The most orders that are placed and repeated."""

NUMBERED = {
    "ordering_orderline": "order_id",
    "ordering_orderboard": "number",
    "inventory_reservation": '"order"',
    "inventory_reservationline": "reservation_id",
    "billing_invoice": '"order"',
    "billing_invoiceline": "invoice_id",
    "billing_payment": '"order"',
    "fulfillment_shipment": '"order"',
    "fulfillment_shipmentline": "shipment_id",
    "sandbox_transaction": "key",
    "ordering_order": "number",
}
"""Tables whose rows name their order, and the column that holds its number or its digits."""
OF_A_STORY = ("ordering_history", "inventory_history", "billing_history", "fulfillment_history", "integration_message")
"""Tables whose rows share the correlation ID of their order."""
SHARED = {"stock_item": ("inventory", "inventory_stockitem", "sku"), "buyer": ("ordering", "ordering_buyer", "id")}
"""Streams that many orders append to, and their aggregate's context, table and key."""


BYTES_EACH = 30_000
"""Bytes of an order on the disk, with its share of the write-ahead log."""


class Repetition(NamedTuple):
    """How the first orders are repeated.

    Args:
        models: the number of first orders.
        first, last: the numbers of the first and last repetition; order numbers are derived from them.
        spacing: seconds from one repetition to the next.
        ago: how long before now the first repetition lies.
    """

    models: int
    first: int
    last: int
    spacing: float
    ago: timedelta


class NotEnoughDisk(RuntimeError):
    """The history that was requested does not fit on the disk."""


def create_history(stage: Stage, template: str, name: str, orders: int) -> str:
    """Copy the database `template` to `name`, and fill it with this many orders.

    Returns:
        The number of orders and the size of the database, as text for the report.

    Raises:
        NotEnoughDisk: the orders do not fit on the disk.
    """
    needed, free = orders * BYTES_EACH, shutil.disk_usage(stage.folder).free
    if needed > free:
        raise NotEnoughDisk(
            f"{orders:,} orders take {needed / 2**30:.0f} GiB, and {free / 2**30:.0f} are free: see --history"
        )
    models = min(MODELS, orders)
    stage.postgresql.ask(f"CREATE DATABASE {name} TEMPLATE {template}")
    with psycopg.connect(stage.postgresql.url(name), autocommit=True) as database:
        database.execute(f"SELECT setval('integration_order_number', {FIRST_NUMBER})")
        stage.run(
            "tests.bench.ours.old_orders", str(models), str(stage.scale.skus), environment=stage.environment(name)
        )
        times = max(orders // models - 1, 0)
        spacing = AGE.total_seconds() / (times + 1)
        with database.transaction():
            # The rows are copies of valid ones. The role `replica` turns off the triggers that check foreign keys.
            database.execute("SET LOCAL session_replication_role = replica")
            database.execute(MOVED_FUNCTION)
            # Orders come last: the other tables join the first orders, before these are repeated.
            past = Repetition(models, 1, times, spacing, AGE)
            for table in ["integration_delivery", *OF_A_STORY, *NUMBERED]:
                repeat(database, table, past)
            _catch_up(database, times)
            # The rows of read models have been repeated as well, so each read model is caught up.
            database.execute(
                "UPDATE integration_readmodelbuild SET mark = CASE split_part(read_model, '.', 1) "
                "WHEN 'ordering' THEN (SELECT max(seq) FROM ordering_history) "
                "ELSE (SELECT max(seq) FROM inventory_history) END"
            )
            database.execute(f"SELECT setval('integration_order_number', {FIRST_NUMBER + orders + models})")
        database.execute("VACUUM (ANALYZE)")
        made = database.execute("SELECT count(*), pg_database_size(current_database()) FROM ordering_order").fetchone()
    assert made is not None
    return f"{made[0]:,} orders of history, {made[1] / 2**30:.1f} GiB"


MOVED_FUNCTION = """
    CREATE FUNCTION pg_temp.moved(id uuid, ms bigint) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
        SELECT (lpad(to_hex(('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint + ms), 12, '0')
            || right(id::text, 22))::uuid
    $$
"""
"""Moves a UUIDv7 to another moment. The body is a single expression, so PostgreSQL inlines the call."""


def repeat(database: Any, table: str, past: Repetition) -> None:
    """Insert the repetitions of a table's rows."""
    digits, join = _digits(table)
    shared = "('" + "', '".join(SHARED) + "')"
    more = f"CASE WHEN stream IN {shared} THEN count(*) OVER (PARTITION BY stream, stream_id) ELSE 0 END"
    is_history = table.endswith("_history")
    database.execute(
        f"CREATE TEMP TABLE model ON COMMIT DROP AS "
        f"SELECT t.*, {digits} AS digits, {more if is_history else 0} AS more FROM {table} AS t {join} "
        f"WHERE {digits}::int > {FIRST_NUMBER}"
    )
    names, values = [], []
    for name, kind in database.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' "
        "AND table_name = %s AND is_identity = 'NO' ORDER BY ordinal_position",
        [table],
    ):
        names.append(f'"{name}"')
        values.append(_later(f'model."{name}"', kind, past))
        if is_history and name == "version":
            # Each repetition adds as many events to a shared stream as the first orders did.
            values[-1] = "model.version + k * more"
        elif name == "reference":
            values[-1] = "model.reference || '-' || k"
    database.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} "
        f"FROM generate_series({past.first}, {past.last}) AS k, model"
    )
    database.execute("DROP TABLE model")


def _digits(table: str) -> tuple[str, str]:
    """Return SQL for the digits of the order number of a row `t`, and the joins that this expression needs."""
    if table in NUMBERED:
        return f"split_part(t.{NUMBERED[table]}, '-', 2)", ""
    story, through = "t.correlation_id", ""
    if table == "integration_delivery":
        story, through = "m.correlation_id", "JOIN integration_message AS m ON m.id = t.message_id"
    return "split_part(o.number, '-', 2)", f"{through} JOIN ordering_order AS o ON o.correlation_id = {story}"


def _later(column: str, kind: str, past: Repetition) -> str:
    """Return SQL for a column's value in the k-th repetition."""
    number, as_text = f"(digits::int + k * {past.models})", "::text" if kind == "jsonb" else ""
    text = f"replace({column}{as_text}, '-' || digits, '-' || {number})"
    # The keys of the first orders were generated today, but their timestamps lie `AGE` back.
    since, ago = f"(k - {past.first - 1}) * {past.spacing}", past.ago.total_seconds()
    moved = f"pg_temp.moved({column}, (({since} - {ago}) * 1000)::bigint)"
    moment = f"{column} + ({since} - {(past.ago - AGE).total_seconds()}) * interval '1 second'"
    ways = {"uuid": moved, "timestamp with time zone": moment, "character varying": text, "jsonb": f"({text})::jsonb"}
    return ways.get(kind, column)


def _catch_up(database: Any, times: int) -> None:
    """Set the aggregates that many orders share to the newest version in their history."""
    for stream, (context, table, key) in SHARED.items():
        database.execute(
            f"UPDATE {table} SET version = newest FROM (SELECT stream_id, max(version) AS newest "
            f"FROM {context}_history WHERE stream = '{stream}' GROUP BY stream_id) AS h WHERE {key} = stream_id"
        )
    database.execute(f"UPDATE inventory_stockitem SET reserved = reserved * {times + 1}")
