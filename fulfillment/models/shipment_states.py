"""The states of a shipment, and its state table."""

from django.db import models

from integration.domain.states import IGNORE, REFUSE, STAY, StateTable, by_state


class ShipmentStatus(models.TextChoices):
    """The states of a shipment. Those with long names are stored in short words: the column has 10 characters."""

    ARRANGED = "arranged"
    DISPATCHED = "dispatched"
    IN_TRANSIT = "in_transit"
    DELIVERY_FAILED = "failed"
    RETURNED_TO_SENDER = "returned"
    LOST = "lost"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


ARRANGED, DISPATCHED, IN_TRANSIT, FAILED, RETURNED, LOST, DELIVERED, CANCELLED = (
    status.value for status in ShipmentStatus
)

NAMES = {status.value: status.name.lower() for status in ShipmentStatus}
"""The words for the states in events, contracts and the API, by the words in which they are stored."""
STORED = {name: status for status, name in NAMES.items()}

GONE = (DISPATCHED, IN_TRANSIT, FAILED, RETURNED, LOST, DELIVERED)
"""The states of a shipment that left the warehouse."""
GONE_WRONG = (RETURNED, LOST)
"""The states in which a person decides what becomes of the goods."""

SCANS = ("in_transit", "delivery_failed", "lost", "returned_to_sender", "delivered")
"""What a carrier may report of a shipment, by rank: of two reports of one moment the later in this list counts."""

_row = by_state(ShipmentStatus)
_OUT, _MOVES, _BACK = DISPATCHED, IN_TRANSIT, RETURNED  # short, so that a row of the table fits in a line
_DONE, _OFF = DELIVERED, CANCELLED

SHIPMENT_LIFE = StateTable(
    ShipmentStatus,
    {
        # message                        arranged out      moves    failed   back     lost     done     off
        "dispatch":                _row(_OUT,    REFUSE,  REFUSE,  REFUSE,  REFUSE,  REFUSE,  REFUSE,  REFUSE),
        "request_label":           _row(STAY,    REFUSE,  REFUSE,  REFUSE,  REFUSE,  REFUSE,  REFUSE,  REFUSE),
        # What an operator says. What a carrier reports, in any order, is below.
        "deliver":                 _row(REFUSE,  _DONE,   _DONE,   _DONE,   _DONE,   _DONE,   REFUSE,  REFUSE),
        "fail":                    _row(REFUSE,  FAILED,  FAILED,  STAY,    REFUSE,  REFUSE,  REFUSE,  REFUSE),
        "return_to_sender":        _row(REFUSE,  _BACK,   _BACK,   _BACK,   REFUSE,  _BACK,   REFUSE,  REFUSE),
        "lose":                    _row(REFUSE,  LOST,    LOST,    LOST,    REFUSE,  REFUSE,  REFUSE,  REFUSE),
        "resolve":                 _row(REFUSE,  REFUSE,  REFUSE,  REFUSE,  STAY,    STAY,    REFUSE,  REFUSE),
        "scan_in_transit":         _row(REFUSE,  _MOVES,  STAY,    _MOVES,  _MOVES,  _MOVES,  _MOVES,  REFUSE),
        "scan_delivery_failed":    _row(REFUSE,  FAILED,  FAILED,  STAY,    FAILED,  FAILED,  FAILED,  REFUSE),
        "scan_returned_to_sender": _row(REFUSE,  _BACK,   _BACK,   _BACK,   STAY,    _BACK,   _BACK,   REFUSE),
        "scan_lost":               _row(REFUSE,  LOST,    LOST,    LOST,    LOST,    STAY,    LOST,    REFUSE),
        "scan_delivered":          _row(REFUSE,  _DONE,   _DONE,   _DONE,   _DONE,   _DONE,   STAY,    REFUSE),
        "stop":                    _row(_OFF,    STAY,    STAY,    STAY,    STAY,    STAY,    STAY,    IGNORE),
        "correct_recipient":       _row(STAY,    STAY,    STAY,    STAY,    STAY,    STAY,    STAY,    STAY),
        "take_out":                _row(STAY,    REFUSE,  REFUSE,  REFUSE,  REFUSE,  REFUSE,  REFUSE,  REFUSE),
        "take_out_all":            _row(_OFF,    REFUSE,  REFUSE,  REFUSE,  REFUSE,  REFUSE,  REFUSE,  REFUSE),
    },
)  # fmt: skip
