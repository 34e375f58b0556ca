"""The states of a return, what may become of its goods, and its state table."""

from django.db import models

from integration.domain.errors import Refused, Unacceptable
from integration.domain.states import IGNORE, REFUSE, STAY, StateTable, by_state


class NotInReturn(Unacceptable):
    """The return has nothing of this SKU."""


class NotThatManyExpected(Refused):
    """Fewer units of this SKU are still expected with the return."""


class FeeNotAllowed(Refused):
    """A buyer who sends goods back by right pays no fee. What diminished value costs is a reduction with a reason."""


class ReturnStatus(models.TextChoices):
    """The states of a return."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"
    RECEIVED = "received"
    CLOSED = "closed"


class Disposition(models.TextChoices):
    """What becomes of a unit that was to come back."""

    RESTOCK = "restock"
    QUARANTINE = "quarantine"
    WRITE_OFF = "write_off"
    MISSING = "missing"


COLUMN_OF = {
    Disposition.RESTOCK.value: "restocked",
    Disposition.QUARANTINE.value: "quarantined",
    Disposition.WRITE_OFF.value: "written_off",
    Disposition.MISSING.value: "missing",
}
"""The column that counts the units of a disposition."""

REQUESTED, APPROVED, REFUSED, RECEIVED, CLOSED = (status.value for status in ReturnStatus)

_row = by_state(ReturnStatus)

RETURN_LIFE = StateTable(
    ReturnStatus,
    {
        # message         requested approved  refused received closed
        "approve":   _row(APPROVED, REFUSE,   REFUSE, REFUSE,  REFUSE),
        "refuse":    _row(REFUSED,  REFUSE,   REFUSE, REFUSE,  REFUSE),
        "receive":   _row(REFUSE,   RECEIVED, REFUSE, STAY,    REFUSE),
        "lapse":     _row(IGNORE,   STAY,     IGNORE, STAY,    IGNORE),
        "settle":    _row(REFUSE,   REFUSE,   REFUSE, STAY,    IGNORE),
        "close":     _row(REFUSE,   CLOSED,   REFUSE, CLOSED,  IGNORE),
        "anonymize": _row(STAY,     STAY,     STAY,   STAY,    STAY),
    },
)  # fmt: skip
