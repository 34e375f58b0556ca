"""Every ten minutes, billing compares the last three days of its books with the payment provider's."""

from datetime import timedelta

from billing.reconciliation import reconcile
from integration.domain import clock
from integration.policies import every

REACH = timedelta(days=3)


@every(timedelta(minutes=10), name="billing.reconcile-payments", external=True)
def reconcile_recent_payments() -> None:
    reconcile(clock.now() - REACH)
