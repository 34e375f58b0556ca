"""The cyclic garbage collector runs less often, and skips the objects that live as long as the process.

Handling a batch allocates some tens of thousands of objects, and hardly any is part of a cycle. By default Python scans
the youngest generation every 700 objects, and at times every object of Django. Those scans were an eighth of a worker's
time for an order, and half of it for an order of three hundred lines.
"""

import gc

LOOK_AFTER = 10_000
"""The collector runs after this many more allocations than deallocations; they take a few megabytes."""


def keep_what_is_there() -> None:
    """Exclude all present objects, such as code and registries, from collection, and collect the others less often."""
    gc.freeze()
    gc.set_threshold(LOOK_AFTER, *gc.get_threshold()[1:])
