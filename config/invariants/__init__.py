"""What must always be true of an order across contexts; only these queries read tables of more than one context."""

from config.invariants import (  # noqa: F401 - registers their checks
    agreement,
    erasing,
    goods,
    money,
    parcels,
    returns,
    waiting,
)
