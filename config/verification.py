"""All invariants of all contexts, each checked within a time limit: what `manage.py verify` and the tests run."""

import logging
from collections.abc import Callable
from datetime import timedelta

from django.db import DatabaseError, InterfaceError, connection

from billing.gateways import OutcomeUnknown
from billing.reconciliation import compare
from integration.aggregates.rebuild import rows_are_their_histories
from integration.domain import clock
from integration.invariants import Finding, TookTooLong, invariants, no_statement_longer_than
from integration.read_models.late import late_read_models
from integration.read_models.registry import read_models
from integration.storage.outages import repeated_after_outages

log = logging.getLogger(__name__)

REBUILD = "events.rows_are_their_histories"
BOOKS = "money.books_are_the_providers"
CAUGHT_UP = "read_models.are_caught_up"


class UnknownCheck(ValueError):
    """No check has a name that begins like this."""


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
        UnknownCheck: no check's name begins with one of `only`.
    """
    checks = {name: entry.check for name, entry in invariants.items()}
    checks[CAUGHT_UP] = _read_models_are_caught_up
    checks[REBUILD] = lambda: rows_are_their_histories(newest)
    if provider is not None:
        checks[BOOKS] = lambda: _books_are_the_providers(provider)
    for prefix in only or ():
        if not any(name.startswith(prefix) for name in checks):
            raise UnknownCheck(f"No check has a name that begins with {prefix!r}. They are:\n  " + "\n  ".join(checks))
    wanted = {name: check for name, check in checks.items() if not only or name.startswith(tuple(only))}
    return {name: _within(timeout, check) for name, check in wanted.items()}


def _within(timeout: float, check: Callable[[], Finding]) -> Finding:
    """Run a check. One that raises is not finished, and the others go on."""
    try:
        with no_statement_longer_than(timeout):
            return repeated_after_outages(check)()
    except TookTooLong:
        return _unfinished(f"a statement took longer than {timeout:g} s")
    except OutcomeUnknown as error:
        return _unfinished(f"the provider could not be reached: {error}")
    except Exception as error:
        if isinstance(error, DatabaseError | InterfaceError) and connection.connection is None:
            raise  # the database is away, so no other check can run
        log.exception("a check raised")
        return _unfinished(f"{type(error).__name__}: {' '.join(str(error).split())}")


def _unfinished(reason: str) -> Finding:
    return Finding(0, [], finished=False, reason=reason)


def _read_models_are_caught_up() -> Finding:
    """No projection has failed, and no read model is minutes behind its history."""
    return Finding(len(read_models.items()), late_read_models())


def _books_are_the_providers(reach: timedelta) -> Finding:
    """Our payments and refunds match the provider's, row by row; nothing is repaired."""
    looked_at, differences = compare(clock.now() - reach)
    return Finding(looked_at, [f"{key}: {difference.finding}" for key, difference in sorted(differences.items())])
