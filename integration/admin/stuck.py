"""What the messages show on the operators' first page: dead letters, paused consumers, and read models that stopped."""

from django.db.models import QuerySet

from integration.admin.home import work
from integration.messaging.models import ConsumerState, Delivery, Status
from integration.read_models.models import ReadModelBuild

GROUP = "System"


@work(
    "Dead letters",
    group=GROUP,
    place=90,
    model=Delivery,
    query={"status__exact": Status.DEAD.value},
    since="message__occurred_at",
)
def dead_letters() -> QuerySet[Delivery]:
    """Deliveries that failed for good: somebody repairs the cause and replays them, or skips them."""
    return Delivery.objects.filter(status=Status.DEAD)


@work(
    "Paused consumers",
    group=GROUP,
    place=91,
    model=ConsumerState,
    query={"paused_at__isnull": "False"},
    since="paused_at",
)
def paused_consumers() -> QuerySet[ConsumerState]:
    """Consumers whose deliveries are held."""
    return ConsumerState.objects.filter(paused_at__isnull=False)


@work(
    "Read models that stopped",
    group=GROUP,
    place=92,
    model=ReadModelBuild,
    query={"error__gt": ""},
    since="started_at",
)
def stopped_read_models() -> QuerySet[ReadModelBuild]:
    """Read models whose projection fails, so that their lists show the past."""
    return ReadModelBuild.objects.exclude(error="")
