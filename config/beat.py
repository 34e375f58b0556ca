"""Beat sends as wake-ups are sent: within a second, and without failing when the broker refuses or is silent."""

from typing import Any

from celery import beat

from integration.messaging.wakeups import TaskCall, send_tasks


class Scheduler(beat.Scheduler):
    """Celery's scheduler, without a broker connection of its own: an error reply on that one ends beat."""

    producer: Any = None

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> None:
        """Send the task of an entry, unless the broker is unreachable; the next time is soon enough."""
        entry = self.reserve(entry) if advance else entry
        send_tasks([TaskCall(entry.task, entry.args, entry.options)])
