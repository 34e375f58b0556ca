"""Cyclic garbage is looked for less often, and not among what a process keeps for good anyway.

Handling a batch makes some tens of thousands of objects, of which hardly any is in a cycle. As Python has it at first,
it looks through the youngest of them every 700 objects, and now and then through all of Django: that was an eighth of
what an order took of a worker, and half of what it took for an order of three hundred lines.
"""

import gc

LOOK_AFTER = 10_000
"""So many more objects than were freed make Python look for cycles among them: a few megabytes."""


def keep_what_is_there() -> None:
    """Take what there is so far, code and registries, for good, and look at the rest less often."""
    gc.freeze()
    gc.set_threshold(LOOK_AFTER, *gc.get_threshold()[1:])
