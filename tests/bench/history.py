"""A long past, made in the database: some orders go the whole way, and all their rows are repeated under later numbers.

The first orders are placed by the shop's own code with the clock moved back; each repetition has order numbers, event
ids and moments of its own, and goods and buyers have as many more versions. So every table and every index is as large
as it would be. It is no past that `verify` would pass: the buyers' spend is left as it was, or all of them would be
granted a discount, and the new orders would not be those of an empty database.
"""

import shutil
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg

from tests.bench.stage import Stage

FIRST_NUMBER = 10_000_000
"""So long that no other number in a row is taken for an order's."""
AGO = timedelta(days=60)
MODELS = 500
"""So many orders are repeated, at most."""

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
"""Tables whose rows name their order: by which column, directly or by its digits."""
OF_A_STORY = ("ordering_history", "inventory_history", "billing_history", "fulfillment_history", "integration_message")
"""Tables whose rows are of their order's story."""
SHARED = {"stock_item": ("inventory", "inventory_stockitem", "sku"), "buyer": ("ordering", "ordering_buyer", "id")}
"""Streams that many orders add to: the aggregates' context, table and key."""


BYTES_EACH = 30_000
"""What an order of the past takes on the disk, with its share of the log that is written meanwhile."""


class Repetition(NamedTuple):
    """How the first orders are repeated.

    Args:
        models: how many they are.
        first, last: the numbers of the repetitions, which say what their orders are called.
        spacing: seconds from one repetition to the next.
        ago: how long before now the first one is.
    """

    models: int
    first: int
    last: int
    spacing: float
    ago: timedelta


class NoRoom(RuntimeError):
    """The disk does not hold the past that was asked for."""


def remember_orders(stage: Stage, template: str, name: str, orders: int) -> str:
    """Make a copy of a database that has so many orders in it.

    Returns:
        What was made, in words.

    Raises:
        NoRoom: the disk does not hold as much.
    """
    needed, free = orders * BYTES_EACH, shutil.disk_usage(stage.folder).free
    if needed > free:
        raise NoRoom(f"{orders:,} orders take {needed / 2**30:.0f} GiB, and {free / 2**30:.0f} are free: see --history")
    models = min(MODELS, orders)
    stage.postgresql.ask(f"CREATE DATABASE {name} TEMPLATE {template}")
    with psycopg.connect(stage.postgresql.url(name), autocommit=True) as database:
        database.execute(f"SELECT setval('integration_order_number', {FIRST_NUMBER})")
        stage.run("tests.bench.ours.long_ago", str(models), str(stage.scale.skus), environment=stage.environment(name))
        times = max(orders // models - 1, 0)
        spacing = AGO.total_seconds() / (times + 1)
        with database.transaction():
            # As a replica that is told of them: no foreign key is looked up for rows that are copies of sound ones.
            database.execute("SET LOCAL session_replication_role = replica")
            database.execute(EARLIER)
            # Orders are the last: by them the others are told whose they are.
            past = Repetition(models, 1, times, spacing, AGO)
            for table in ["integration_delivery", *OF_A_STORY, *NUMBERED]:
                repeat(database, table, past)
            _catch_up(database, times)
            # What the read models show of it has been repeated with the rest.
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


EARLIER = """
    CREATE FUNCTION pg_temp.moved(id uuid, ms bigint) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
        SELECT (lpad(to_hex(('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint + ms), 12, '0')
            || right(id::text, 22))::uuid
    $$
"""
"""A UUIDv7 as it would have been made at another moment; an expression alone, so that PostgreSQL calls no function."""


def repeat(database: Any, table: str, past: Repetition) -> None:
    """Repeat a table's rows of these orders."""
    digits, told_by = _digits(table)
    shared = "('" + "', '".join(SHARED) + "')"
    more = f"CASE WHEN stream IN {shared} THEN count(*) OVER (PARTITION BY stream, stream_id) ELSE 0 END"
    is_history = table.endswith("_history")
    database.execute(
        f"CREATE TEMP TABLE model ON COMMIT DROP AS "
        f"SELECT t.*, {digits} AS digits, {more if is_history else 0} AS more FROM {table} AS t {told_by} "
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
            # With every repetition as many events more as the first ones are.
            values[-1] = "model.version + k * more"
        elif name == "reference":
            values[-1] = "model.reference || '-' || k"
    database.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} "
        f"FROM generate_series({past.first}, {past.last}) AS k, model"
    )
    database.execute("DROP TABLE model")


def _digits(table: str) -> tuple[str, str]:
    """SQL for an order's digits in a row `t` of a table, and for what must be joined to know them."""
    if table in NUMBERED:
        return f"split_part(t.{NUMBERED[table]}, '-', 2)", ""
    story, through = "t.correlation_id", ""
    if table == "integration_delivery":
        story, through = "m.correlation_id", "JOIN integration_message AS m ON m.id = t.message_id"
    return "split_part(o.number, '-', 2)", f"{through} JOIN ordering_order AS o ON o.correlation_id = {story}"


def _later(column: str, kind: str, past: Repetition) -> str:
    """SQL for a column's value in the k-th repetition."""
    number, as_text = f"(digits::int + k * {past.models})", "::text" if kind == "jsonb" else ""
    text = f"replace({column}{as_text}, '-' || digits, '-' || {number})"
    # The keys of the first were made today, and their moments lie as far back as AGO says.
    since, ago = f"(k - {past.first - 1}) * {past.spacing}", past.ago.total_seconds()
    moved = f"pg_temp.moved({column}, (({since} - {ago}) * 1000)::bigint)"
    moment = f"{column} + ({since} - {(past.ago - AGO).total_seconds()}) * interval '1 second'"
    ways = {"uuid": moved, "timestamp with time zone": moment, "character varying": text, "jsonb": f"({text})::jsonb"}
    return ways.get(kind, column)


def _catch_up(database: Any, times: int) -> None:
    """Bring the aggregates that many orders share to the newest version there is of them."""
    for stream, (context, table, key) in SHARED.items():
        database.execute(
            f"UPDATE {table} SET version = newest FROM (SELECT stream_id, max(version) AS newest "
            f"FROM {context}_history WHERE stream = '{stream}' GROUP BY stream_id) AS h WHERE {key} = stream_id"
        )
    database.execute(f"UPDATE inventory_stockitem SET reserved = reserved * {times + 1}")
