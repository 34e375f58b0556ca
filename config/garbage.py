"""Cyclic garbage is looked for less often, and not among what a process keeps for good anyway.

Handling a batch makes some tens of thousands of objects, of which hardly any is in a cycle. As Python has it at first,
it would look through them every 700 objects, and through all of Django again and again: an eighth of a worker's time.
"""

import gc

from celery.signals import worker_init

LOOK_AFTER = 10_000
"""So many more objects than were freed make Python look for cycles among them: a few megabytes."""


@worker_init.connect
def keep_what_is_there(**kwargs: object) -> None:
    """Take what there is so far, code and registries, for good, and look at the rest less often.

    To be called where nothing has been served yet, and before processes are forked, which then share it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(LOOK_AFTER, *gc.get_threshold()[1:])
