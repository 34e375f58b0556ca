"""A read model catches up with its context's history at its own position, so that writing costs nothing for reading.

`history_reader` reads a history without missing an event, in the order of `numbering`. `batch` is what a projection
works with, and `registry` knows all of them. `builds` says which builds this code catches up, and `catch_up` applies
new events. `rebuild` makes a read model again from the whole history. `lag` measures how far each one is behind.
"""
