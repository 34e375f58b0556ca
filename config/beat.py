"""Beat sends as wake-ups are sent: within a second, and without failing when the broker refuses or is silent.

It schedules by the monotonic clock. By the machine's clock nothing would be due for as long as that is set back.
"""

from datetime import UTC, datetime
from typing import Any

from celery import beat

from integration.domain import clock
from integration.logs import log_task
from integration.messaging.wakeups import TaskCall, send_tasks


def monotonic_now() -> datetime:
    """The monotonic clock in the form that Celery compares."""
    return datetime.fromtimestamp(clock.stopwatch(), UTC)


class Scheduler(beat.Scheduler):
    """Celery's scheduler, without a broker connection of its own: an error reply on that one ends beat."""

    producer: Any = None

    def setup_schedule(self) -> None:
        """Let all entries compare moments of the monotonic clock; each is first due after its interval."""
        super().setup_schedule()
        entries: Any = self.schedule.values()
        for entry in entries:
            entry.schedule.nowfun = monotonic_now
            entry.last_run_at = monotonic_now()

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> None:
        """Send the task of an entry, unless the broker is unreachable; the next time is soon enough."""
        entry = self.reserve(entry) if advance else entry
        send_tasks([TaskCall(entry.task, entry.args, entry.options)])
        log_task(entry.task, routine=str(entry.args[0]) if entry.args else "")
