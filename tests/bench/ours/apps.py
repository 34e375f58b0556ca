"""The Django app that adds a contract, its consumer, and no-op tasks to a worker under measurement."""

from django.apps import AppConfig


class Ours(AppConfig):
    """Registers the consumer and the no-op tasks, so that the same worker runs both sides of a comparison."""

    name = "tests.bench.ours"
    label = "bench"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tests.bench.baselines import no_op  # noqa: F401 - registers its tasks
        from tests.bench.ours import consumer  # noqa: F401 - registers its consumer
