"""What a worker under measurement knows besides its business: a contract, its consumer, and tasks that do nothing."""

from django.apps import AppConfig


class Ours(AppConfig):
    """In the worker, so that what is compared is run by the same worker."""

    name = "tests.bench.ours"
    label = "bench"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tests.bench.baselines import no_op  # noqa: F401 - registers its tasks
        from tests.bench.ours import noting  # noqa: F401 - registers its consumer
