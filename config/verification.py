"""All invariants of all contexts, each checked within a time limit: what `manage.py verify` and the tests run."""

from collections.abc import Callable
from datetime import timedelta

from billing.reconciliation import compare
from integration.aggregates.rebuild import rows_are_their_histories
from integration.domain import clock
from integration.invariants import Finding, TookTooLong, invariants, no_statement_longer_than

REBUILD = "events.rows_are_their_histories"
BOOKS = "money.books_are_the_providers"

NOT_FINISHED = Finding(0, [], finished=False)


def verify(
    only: list[str] | None = None,
    newest: int | None = None,
    provider: timedelta | None = None,
    timeout: float = 60,
) -> dict[str, Finding]:
    """Every invariant's finding, by its name.

    Args:
        only: the beginnings of the names to check; all without.
        newest: so many aggregates of each kind are rebuilt from their histories; all without.
        provider: compare what was paid and given back so long ago or since with the provider's books; not without.
        timeout: a check whose statement takes longer, in seconds, is given up, and its finding says so.

    Raises:
        OutcomeUnknown: the provider cannot be asked.
    """
    checks = {name: entry.check for name, entry in invariants.items()}
    checks[REBUILD] = lambda: rows_are_their_histories(newest)
    if provider is not None:
        checks[BOOKS] = lambda: _books_are_the_providers(provider)
    wanted = {name: check for name, check in checks.items() if not only or name.startswith(tuple(only))}
    return {name: _within(timeout, check) for name, check in wanted.items()}


def _within(timeout: float, check: Callable[[], Finding]) -> Finding:
    try:
        with no_statement_longer_than(timeout):
            return check()
    except TookTooLong:
        return NOT_FINISHED


def _books_are_the_providers(reach: timedelta) -> Finding:
    """What happened is the same in our books and the provider's, row by row; nothing is repaired."""
    looked_at, differences = compare(clock.now() - reach)
    return Finding(looked_at, [f"{key}: {difference.finding}" for key, difference in sorted(differences.items())])
