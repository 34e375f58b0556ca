"""A refund of a withdrawal that is due while goods are expected becomes a task: a person decides whether it may wait.

What was stopped is refunded at once, and what comes back as it is received. Article 13(3) of Directive 2011/83/EU lets
the shop wait until it has received the goods or a proof that they were sent, and only a person knows of a proof.
"""

import logging
from datetime import timedelta

from django.db import DatabaseError

from integration.policies import every
from ordering import commands
from ordering.queries.withdrawals import orders_with_overdue_refunds

log = logging.getLogger(__name__)

AT_ONCE = 200
"""How many orders one run looks at; the next run looks at more."""


@every(timedelta(minutes=30), name="ordering.note-overdue-refunds")
def note_overdue_refunds() -> None:
    for number in orders_with_overdue_refunds(AT_ONCE):
        try:
            commands.note_overdue_refund(number)
        except DatabaseError:
            raise
        except Exception:  # whatever is wrong with one order, the others become tasks
            log.exception("the overdue refund of order %s cannot be noted", number)
