"""All invariants of all contexts, each checked within a time limit: what `manage.py verify` and the tests run."""

from collections.abc import Callable
from datetime import timedelta

from billing.reconciliation import compare
from integration.aggregates.rebuild import rows_are_their_histories
from integration.domain import clock
from integration.invariants import Finding, TookTooLong, invariants, no_statement_longer_than
from integration.read_models.late import late_read_models
from integration.read_models.registry import read_models
from integration.storage.outages import repeated_after_outages

REBUILD = "events.rows_are_their_histories"
BOOKS = "money.books_are_the_providers"
CAUGHT_UP = "read_models.are_caught_up"

NOT_FINISHED = Finding(0, [], finished=False)


def verify(
    only: list[str] | None = None,
    newest: int | None = None,
    provider: timedelta | None = None,
    timeout: float = 60,
) -> dict[str, Finding]:
    """The finding of every invariant, by the invariant's name.

    Args:
        only: prefixes of the names to check; `None` checks all.
        newest: how many aggregates of each kind to rebuild from their histories, newest first; `None` rebuilds all.
        provider: how far back to compare payments and refunds with the provider's books; `None` does not compare.
        timeout: seconds that one statement may take. The finding of a check that takes longer says so.

    Raises:
        OutcomeUnknown: the provider cannot be reached.
    """
    checks = {name: entry.check for name, entry in invariants.items()}
    checks[CAUGHT_UP] = _read_models_are_caught_up
    checks[REBUILD] = lambda: rows_are_their_histories(newest)
    if provider is not None:
        checks[BOOKS] = lambda: _books_are_the_providers(provider)
    wanted = {name: check for name, check in checks.items() if not only or name.startswith(tuple(only))}
    return {name: _within(timeout, check) for name, check in wanted.items()}


@repeated_after_outages
def _within(timeout: float, check: Callable[[], Finding]) -> Finding:
    try:
        with no_statement_longer_than(timeout):
            return check()
    except TookTooLong:
        return NOT_FINISHED


def _read_models_are_caught_up() -> Finding:
    """No projection has failed, and no read model is minutes behind its history."""
    return Finding(len(read_models.items()), late_read_models())


def _books_are_the_providers(reach: timedelta) -> Finding:
    """Our payments and refunds match the provider's, row by row; nothing is repaired."""
    looked_at, differences = compare(clock.now() - reach)
    return Finding(looked_at, [f"{key}: {difference.finding}" for key, difference in sorted(differences.items())])
