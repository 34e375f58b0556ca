"""Inventory's invariants: rules about stock items and reservations, each checked by one SQL query."""

from integration.invariants import Check, always, json_number, json_text
from integration.read_models.verify import own_build, shown
from integration.storage.sql import is_postgresql

STOCK_PER_DAY = "inventory.stock-per-day"


@always("inventory.on_hand_is_what_moved")
def on_hand_is_what_moved() -> Check:
    """The units of a stock item on hand, and those in quarantine, are what its movements add up to."""
    return Check(
        rows=f"""
            inventory_stockitem AS item LEFT JOIN (
                SELECT stream_id, sum(CASE name
                    WHEN 'inventory.stock_received' THEN {json_number("data", "quantity")}
                    WHEN 'inventory.stock_adjusted' THEN {json_number("data", "delta")}
                    WHEN 'inventory.stock_cleared' THEN {json_number("data", "quantity")}
                    WHEN 'inventory.stock_came_back' THEN {json_number("data", "quantity")}
                    WHEN 'inventory.stock_shipped' THEN -{json_number("data", "quantity")}
                    WHEN 'inventory.stock_quarantined' THEN -{json_number("data", "quantity")}
                    ELSE 0 END) AS total,
                  sum(CASE
                    WHEN name IN ('inventory.stock_quarantined', 'inventory.stock_came_back_to_quarantine')
                        THEN {json_number("data", "quantity")}
                    WHEN name IN ('inventory.stock_cleared', 'inventory.stock_written_off')
                        THEN -{json_number("data", "quantity")}
                    ELSE 0 END) AS quarantined
                FROM inventory_history WHERE stream = 'stock_item' GROUP BY stream_id
            ) AS moved ON moved.stream_id = item.sku
        """,  # noqa: S608 - contains only constants from the code
        what="""
            item.sku || ': ' || item.on_hand || ' on hand and ' || item.quarantined || ' in quarantine, but '
              || coalesce(moved.total, 0) || ' and ' || coalesce(moved.quarantined, 0) || ' by its movements'
        """,
        never={
            "on hand is not what moved": "item.on_hand <> coalesce(moved.total, 0)",
            "quarantined is not what moved": "item.quarantined <> coalesce(moved.quarantined, 0)",
            "quarantined is negative": "item.quarantined < 0",
        },
    )


@always("inventory.reserved_is_what_orders_hold")
def reserved_is_what_orders_hold() -> Check:
    """The reserved units equal the sum of held and committed reservations, and never exceed the units on hand."""
    return Check(
        rows="""
            inventory_stockitem AS item LEFT JOIN (
                SELECT line.sku, sum(line.quantity - line.shipped - line.released) AS total
                FROM inventory_reservationline AS line
                JOIN inventory_reservation AS reservation ON reservation."order" = line.reservation_id
                WHERE reservation.status IN ('held', 'committed') GROUP BY line.sku
            ) AS held ON held.sku = item.sku
        """,
        what="""
            item.sku || ': ' || item.reserved || ' of ' || item.on_hand || ' reserved, but orders hold '
              || coalesce(held.total, 0)
        """,
        never={
            "reserved is not what orders hold": "item.reserved <> coalesce(held.total, 0)",
            "more is reserved than on hand": "item.reserved > item.on_hand",
            "reserved is negative": "item.reserved < 0",
        },
    )


@always("inventory.a_reservation_has_goods")
def a_reservation_has_goods() -> Check:
    """A reservation has lines, and what it holds or has shipped is in stock items that exist."""
    return Check(
        rows="""
            inventory_reservation AS reservation
            LEFT JOIN inventory_reservationline AS line ON line.reservation_id = reservation."order"
            LEFT JOIN inventory_stockitem AS item ON item.sku = line.sku
        """,
        what="""
            reservation."order" || ' (' || reservation.status || '): ' || coalesce(line.sku, 'nothing')
        """,
        never={
            "there are no lines": "line.sku IS NULL",
            "there is no such stock item": """
                line.sku IS NOT NULL AND item.sku IS NULL AND reservation.status IN ('held', 'committed', 'shipped')
            """,
        },
    )


@always("inventory.a_reservation_ends_once")
def a_reservation_ends_once() -> Check:
    """Each reservation ends at most once: released, expired, refused, shipped, or with the last unit cancelled."""
    return Check(
        rows="""
            inventory_reservation AS reservation LEFT JOIN (
                SELECT stream_id, count(*) AS times FROM inventory_history
                WHERE name IN ('inventory.reservation_released', 'inventory.reservation_expired',
                               'inventory.reservation_refused', 'inventory.reservation_shipped')
                GROUP BY stream_id
            ) AS ended ON ended.stream_id = reservation."order"
        """,
        what="""
            reservation."order" || ': ' || reservation.status || ' after ' || coalesce(ended.times, 0) || ' ends'
        """,
        never={
            "it ended more than once": "coalesce(ended.times, 0) > 1",
            "the status is not what happened": """
                reservation.status NOT IN ('held', 'committed') AND coalesce(ended.times, 0) = 0 AND EXISTS (
                    SELECT 1 FROM inventory_reservationline AS line WHERE line.reservation_id = reservation."order"
                      AND line.shipped + line.released < line.quantity)
                  OR reservation.status IN ('held', 'committed') AND coalesce(ended.times, 0) > 0
            """,
        },
    )


@always("inventory.reserved_goods_move_once")
def reserved_goods_move_once() -> Check:
    """Each reserved unit was set aside once and then shipped or freed once, as its reservation says."""
    order, quantity = json_text("data", "order"), json_number("data", "quantity")

    def moved(name: str) -> str:
        return f"sum(CASE name WHEN 'inventory.stock_{name}' THEN {quantity} ELSE 0 END) AS {name}"

    ended = "reservation.status IN ('released', 'expired')"
    shipped = "CASE WHEN reservation.status = 'shipped' THEN line.quantity - line.released ELSE line.shipped END"
    freed = f"CASE WHEN {ended} THEN line.quantity - line.shipped ELSE line.released END"
    return Check(
        rows=f"""
            inventory_reservationline AS line
            JOIN inventory_reservation AS reservation ON reservation."order" = line.reservation_id
            LEFT JOIN (
                SELECT stream_id AS sku, {order} AS for_order,
                    {moved("set_aside")}, {moved("freed")}, {moved("shipped")}
                FROM inventory_history
                WHERE stream = 'stock_item'
                  AND name IN ('inventory.stock_set_aside', 'inventory.stock_freed', 'inventory.stock_shipped')
                GROUP BY stream_id, {order}
            ) AS moved ON moved.sku = line.sku AND moved.for_order = line.reservation_id
        """,  # noqa: S608 - contains only constants from the code
        what="""
            line.reservation_id || ' (' || reservation.status || '), ' || line.quantity || ' ' || line.sku || ', '
              || line.shipped || ' shipped in part: by the stock ' || coalesce(moved.set_aside, 0) || ' set aside, '
              || coalesce(moved.shipped, 0) || ' shipped, ' || coalesce(moved.freed, 0) || ' freed'
        """,
        never={
            "what was set aside differs": """
                coalesce(moved.set_aside, 0)
                  <> CASE WHEN reservation.status = 'refused' THEN 0 ELSE line.quantity END
            """,
            "what was shipped differs": f"coalesce(moved.shipped, 0) <> {shipped}",
            "what was freed differs": f"coalesce(moved.freed, 0) <> {freed}",
            "more is shipped than reserved": "line.shipped > line.quantity",
            "nothing is left, and the reservation goes on": """
                reservation.status IN ('held', 'committed') AND NOT EXISTS (
                    SELECT 1 FROM inventory_reservationline AS other
                    WHERE other.reservation_id = line.reservation_id
                      AND other.shipped + other.released < other.quantity)
            """,
        },
    )


@always("read_models.stock_per_day_is_the_stock")
def stock_per_day_is_the_stock() -> Check:
    """The latest row of stock per day equals its stock item, once the read model has caught up with it."""
    behind = "coalesce(day.version, 0) < item.version"
    return Check(
        rows=f"""
            inventory_stockitem AS item LEFT JOIN inventory_stockofday AS day
                ON day.sku = item.sku AND day.latest AND day.build = {own_build(STOCK_PER_DAY)}
        """,
        what="""
            item.sku || ': ' || item.on_hand || ' on hand, ' || item.reserved || ' reserved, ' || item.quarantined
              || ' in quarantine, but its last day shows '
              || coalesce(day.on_hand || ', ' || day.reserved || ' and ' || day.quarantined, 'nothing')
        """,
        never={
            "it does not show the last event": f"""
                {behind} AND {shown(STOCK_PER_DAY, "stock_item", "item.sku", "item.version")}
            """,
            "it shows a later event": "coalesce(day.version, 0) > item.version",
            "on hand differs": f"NOT ({behind}) AND day.on_hand <> item.on_hand",
            "reserved differs": f"NOT ({behind}) AND day.reserved <> item.reserved",
            "quarantined differs": f"NOT ({behind}) AND day.quarantined <> item.quarantined",
        },
    )


@always("read_models.each_day_of_stock_is_its_movements")
def each_day_of_stock_is_its_movements() -> Check:
    """Each row of stock per day shows what moved on its day, and the stock that all days until then result in."""
    day = "(history.occurred_at AT TIME ZONE 'UTC')::date" if is_postgresql() else "date(history.occurred_at)"
    quantity, delta = json_number("history.data", "quantity"), json_number("history.data", "delta")

    def moved(**signs: int) -> str:
        cases = " ".join(f"WHEN 'inventory.stock_{name}' THEN {sign} * {quantity}" for name, sign in signs.items())
        return f"sum(CASE history.name {cases} ELSE 0 END)"

    of_build = f"WHERE build = {own_build(STOCK_PER_DAY)}"
    return Check(
        rows=f"""
            (
                SELECT seen.*, moved.day AS moved_on, moved.received AS has_received, moved.adjusted AS has_adjusted,
                    moved.shipped AS has_shipped, moved.written_off AS has_written_off, moved.last_version,
                    sum(moved.received + moved.adjusted - moved.shipped - moved.set_apart)
                        OVER until_then AS was_on_hand,
                    sum(moved.set_apart + moved.came_apart - moved.written_off) OVER until_then AS was_quarantined,
                    sum(moved.set_aside) OVER until_then AS was_reserved,
                    lead(seen.day) OVER until_then IS NULL AS is_last
                FROM (
                    SELECT history.stream_id AS sku, {day} AS day, max(history.version) AS last_version,
                        {moved(received=1, came_back=1)} AS received, {moved(shipped=1)} AS shipped,
                        {moved(came_back_to_quarantine=1)} AS came_apart,
                        sum(CASE history.name WHEN 'inventory.stock_adjusted' THEN {delta} ELSE 0 END) AS adjusted,
                        {moved(set_aside=1, freed=-1, shipped=-1)} AS set_aside,
                        {moved(quarantined=1, cleared=-1)} AS set_apart, {moved(written_off=1)} AS written_off
                    FROM inventory_history AS history
                    JOIN (SELECT sku, max(version) AS version FROM inventory_stockofday {of_build} GROUP BY sku)
                        AS shown ON shown.sku = history.stream_id AND history.version <= shown.version
                    WHERE history.stream = 'stock_item'
                    GROUP BY history.stream_id, {day}
                ) AS moved
                FULL JOIN (SELECT * FROM inventory_stockofday {of_build}) AS seen
                    ON seen.sku = moved.sku AND seen.day = moved.day
                WINDOW until_then AS (PARTITION BY coalesce(seen.sku, moved.sku) ORDER BY coalesce(seen.day, moved.day))
            ) AS shown
        """,  # noqa: S608 - contains only constants from the code
        what="""
            coalesce(shown.sku || ' on ' || shown.day, 'a day of ' || shown.moved_on) || ': received '
              || coalesce(shown.received, 0) || ', adjusted ' || coalesce(shown.adjusted, 0) || ', shipped '
              || coalesce(shown.shipped, 0) || ', written off ' || coalesce(shown.written_off, 0)
              || ', by its history ' || coalesce(shown.has_received || ', ' || shown.has_adjusted || ', '
              || shown.has_shipped || ' and ' || shown.has_written_off, 'nothing')
        """,
        never={
            "nothing moved on that day": "shown.moved_on IS NULL",
            "the day is missing": "shown.day IS NULL",
            "received differs": "shown.received <> shown.has_received",
            "adjusted differs": "shown.adjusted <> shown.has_adjusted",
            "shipped differs": "shown.shipped <> shown.has_shipped",
            "written off differs": "shown.written_off <> shown.has_written_off",
            "on hand is not what moved until then": "shown.on_hand <> shown.was_on_hand",
            "reserved is not what moved until then": "shown.reserved <> shown.was_reserved",
            "quarantined is not what moved until then": "shown.quarantined <> shown.was_quarantined",
            "the version is not that of its last movement": "shown.version <> shown.last_version",
            "another day is the latest": "shown.latest <> shown.is_last",
        },
    )
