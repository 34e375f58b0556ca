"""Deliveries that no build can read: their consumer, contract or version is unknown. SQL makes them, by the million."""

KINDS = (
    ("inventory.reserve-everything", "ordering.order-placed", 1),
    ("inventory.reserve-stock", "ordering.order-dreamt-of", 2),
    ("inventory.reserve-stock", "ordering.order-placed", 99),
)
"""The consumer, contract and version of each third of the deliveries."""

ACTOR = "nobody"
"""The actor of their messages, by which they are found again."""

MAKE = """
    INSERT INTO integration_message
        (id, name, version, data, occurred_at, correlation_id, actor, addressed_to)
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
    SELECT {id}, CASE n % 3 WHEN 0 THEN '{contracts[0]}' WHEN 1 THEN '{contracts[1]}' ELSE '{contracts[2]}' END,
           CASE n % 3 WHEN 0 THEN {versions[0]} WHEN 1 THEN {versions[1]} ELSE {versions[2]} END,
           '{{}}', {now}, {id}, '{ACTOR}', 1
    FROM numbers;
    INSERT INTO integration_delivery
        (message_id, consumer, context, outside, status, attempts, in_hand, due_at, error, traceback, skip_reason,
         skipped_by)
    SELECT id, CASE version WHEN {versions[0]} THEN '{consumers[0]}' ELSE '{consumers[1]}' END, 'inventory',
           FALSE, 'pending', 0, FALSE, occurred_at, '', '', '', ''
    FROM integration_message WHERE actor = '{ACTOR}'
"""
OF_THEM = f"message_id IN (SELECT id FROM integration_message WHERE actor = '{ACTOR}')"  # noqa: S608 - a constant
COUNT_PARKED = f"SELECT count(*) FROM integration_delivery WHERE {OF_THEM} AND due_at IS NULL AND attempts <= 1"  # noqa: S608
"""Parking uses up no attempt, but a claim that was lost before it, such as in a deadlock, keeps its own."""
LONG_DUE = 5
"""Seconds after which no delivery of an order is due any more."""
IS_IN_FRONT = f"""
    SELECT EXISTS (SELECT 1 FROM integration_delivery WHERE status = 'pending' AND context = 'inventory'
                   AND NOT in_hand AND due_at < now() - interval '{LONG_DUE} s')
"""  # noqa: S608 - a constant
"""Whether deliveries have been due for long. For PostgreSQL, and cheap."""
REMOVE = (
    f"DELETE FROM integration_delivery WHERE {OF_THEM}",  # noqa: S608 - a constant
    f"DELETE FROM integration_message WHERE actor = '{ACTOR}'",  # noqa: S608 - a constant
)


def making(count: int, is_postgresql: bool) -> list[str]:
    """Statements that make so many of them, due now, in the delivery queue in which each order begins."""
    consumers, contracts, versions = zip(*KINDS, strict=True)
    return MAKE.format(
        count=count,
        consumers=consumers,
        contracts=contracts,
        versions=versions,
        ACTOR=ACTOR,
        id="gen_random_uuid()" if is_postgresql else "lower(hex(randomblob(16)))",
        now="now()" if is_postgresql else "strftime('%Y-%m-%d %H:%M:%f000', 'now')",
    ).split(";")
