"""Read models that need a person: those whose projection failed, and those that are minutes behind."""

from datetime import timedelta

from integration.read_models.lag import lag

LATE = timedelta(minutes=2)
"""How old an event may be that a read model does not show yet. Usually it is a second."""


def late_read_models() -> list[str]:
    """A sentence about each read model whose projection failed or that is behind by more than `LATE`; one query."""
    found = []
    for each in lag():
        if each.error:
            found.append(f"read model {each.read_model} has stopped: its projection failed")
        elif each.seconds > LATE.total_seconds():
            found.append(f"read model {each.read_model} is {each.events:,} events and {each.seconds:,.0f} s behind")
    return found
