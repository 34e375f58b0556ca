"""Code that all contexts share: building blocks, contracts, and the delivery of messages between contexts.

`integration` imports no context. From the bottom up:

* `domain`: values, events, states and clock, without a database.
* `storage`: how rows are written and read.
* `history`: the append-only log of domain events.
* `aggregates`: `Aggregate`, the unit of work, snapshots and past states.
* `contracts`: the events that contexts publish for each other.
* `messaging`: the delivery of those events to their consumers.
* `read_models`, `rest`, `admin` and `documents`: what the contexts' queries, APIs, pages and documents have in common.
"""
