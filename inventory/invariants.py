"""Inventory's invariants: rules about stock items and reservations, each checked by one SQL query."""

from integration.invariants import always, json_number
from integration.read_models.verify import own_build, shown


@always("inventory.on_hand_is_what_moved")
def on_hand_is_what_moved() -> str:
    """The units on hand of a stock item equal its received units, minus its shipped units, plus its adjustments."""
    return f"""
        SELECT item.sku || ': ' || item.on_hand || ' on hand, but ' || coalesce(moved.total, 0) || ' by its movements'
                 AS what,
               item.on_hand <> coalesce(moved.total, 0) AS bad
        FROM inventory_stockitem AS item
        LEFT JOIN (
            SELECT stream_id, sum(CASE name
                WHEN 'inventory.stock_received' THEN {json_number("data", "quantity")}
                WHEN 'inventory.stock_adjusted' THEN {json_number("data", "delta")}
                WHEN 'inventory.stock_shipped' THEN -{json_number("data", "quantity")}
                ELSE 0 END) AS total
            FROM inventory_history WHERE stream = 'stock_item' GROUP BY stream_id
        ) AS moved ON moved.stream_id = item.sku
    """  # noqa: S608 - contains only constants from the code


@always("inventory.reserved_is_what_orders_hold")
def reserved_is_what_orders_hold() -> str:
    """The reserved units equal the sum of held and committed reservations, and never exceed the units on hand."""
    return """
        SELECT item.sku || ': ' || item.reserved || ' of ' || item.on_hand || ' reserved, but orders hold '
                 || coalesce(held.total, 0) AS what,
               item.reserved <> coalesce(held.total, 0) OR item.reserved > item.on_hand OR item.reserved < 0 AS bad
        FROM inventory_stockitem AS item
        LEFT JOIN (
            SELECT line.sku, sum(line.quantity) AS total
            FROM inventory_reservationline AS line
            JOIN inventory_reservation AS reservation ON reservation."order" = line.reservation_id
            WHERE reservation.status IN ('held', 'committed') GROUP BY line.sku
        ) AS held ON held.sku = item.sku
    """


@always("inventory.a_reservation_ends_once")
def a_reservation_ends_once() -> str:
    """Each reservation ends at most once: released, expired, refused or shipped."""
    return """
        SELECT reservation."order" || ': ' || reservation.status || ' after ' || coalesce(ended.times, 0) || ' ends'
                 AS what,
               coalesce(ended.times, 0) <> CASE WHEN reservation.status IN ('held', 'committed') THEN 0 ELSE 1 END
                 AS bad
        FROM inventory_reservation AS reservation
        LEFT JOIN (
            SELECT stream_id, count(*) AS times FROM inventory_history
            WHERE name IN ('inventory.reservation_released', 'inventory.reservation_expired',
                           'inventory.reservation_refused', 'inventory.reservation_shipped')
            GROUP BY stream_id
        ) AS ended ON ended.stream_id = reservation."order"
    """


@always("read_models.stock_per_day_is_the_stock")
def stock_per_day_is_the_stock() -> str:
    """The latest row of stock per day equals its stock item, once the read model has caught up with it."""
    return f"""
        SELECT item.sku || ': ' || item.on_hand || ' on hand, ' || item.reserved || ' reserved, but its last day shows '
                 || coalesce(day.on_hand || ' and ' || day.reserved, 'nothing') AS what,
               CASE WHEN coalesce(day.version, 0) < item.version
                    THEN {shown("inventory.stock-per-day", "stock_item", "item.sku", "item.version")}
                    ELSE day.version <> item.version OR day.on_hand <> item.on_hand OR day.reserved <> item.reserved
                    END AS bad
        FROM inventory_stockitem AS item
        LEFT JOIN inventory_stockofday AS day
            ON day.sku = item.sku AND day.latest AND day.build = {own_build("inventory.stock-per-day")}
    """  # noqa: S608 - contains only names from the code
