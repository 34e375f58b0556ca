"""Consumers that fail, so that their deliveries die."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from integration.messaging.consumers import consumers


@contextmanager
def broken(name: str) -> Iterator[None]:
    """Make a consumer fail for every message."""

    def fail(event: object) -> None:
        raise RuntimeError("the shelf fell over")

    consumer = consumers.get(name)
    original = consumer.handle
    try:
        msgspec.structs.force_setattr(consumer, "handle", fail)
        yield
    finally:
        msgspec.structs.force_setattr(consumer, "handle", original)
