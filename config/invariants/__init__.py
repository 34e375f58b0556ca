"""What must always be true of an order across contexts; only these queries read tables of more than one context."""

from config.invariants import agreement, erasing, goods, money, parcels, waiting  # noqa: F401 - registers their checks
