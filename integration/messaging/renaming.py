"""What is stored under a former wire name gets the name of today, after each `migrate`.

Older code that runs meanwhile does not know the new names: it leaves such deliveries to newer code. What it still
stores under a former name is found by that name, and renamed by the next `migrate`. A stream is the exception: rename
one only while no older code runs.
"""

from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from integration.aggregates.aggregate import Aggregate
from integration.aggregates.rebuild import aggregates
from integration.aggregates.snapshots import Snapshot
from integration.history.append_only import changeable, protect, unprotect
from integration.history.entries import history_of
from integration.messaging.consumers import consumers
from integration.messaging.models import ConsumerState, Delivery
from integration.read_models.models import ReadModelBuild
from integration.read_models.registry import read_models
from integration.storage.sql import is_postgresql

ROWS_AT_ONCE = 10_000


def rename_stored(**kwargs: Any) -> None:
    """Rename all that is stored under former names of consumers, read models and streams; a receiver of a signal."""
    for former, name in consumers.renamed.items():
        _rename_consumer(former, name)
    for former, name in read_models.renamed.items():
        taken = ReadModelBuild.objects.filter(read_model=name, code=OuterRef("code"), ready=OuterRef("ready"))
        ReadModelBuild.objects.filter(~Exists(taken), read_model=former).update(read_model=name, live=False)
    for model in aggregates():
        for former in model.formerly:
            _rename_stream(model, former)


def _rename_consumer(former: str, name: str) -> None:
    given = Delivery.objects.filter(consumer=name, message=OuterRef("message"))
    found = Delivery.objects.filter(~Exists(given), consumer=former).order_by("pk").values_list("pk", flat=True)
    while keys := list(found[:ROWS_AT_ONCE]):
        Delivery.objects.filter(pk__in=keys).update(consumer=name)
    if not ConsumerState.objects.filter(pk=name).exists():
        ConsumerState.objects.filter(pk=former).update(consumer=name)


def _rename_stream(model: type[Aggregate], former: str) -> None:
    history = history_of(model._meta.app_label)
    if not history.objects.filter(stream=former).exists():
        return
    table = history._meta.db_table
    with transaction.atomic(), connection.cursor() as cursor:
        rows = history.objects.filter(stream=former)
        if is_postgresql():
            with changeable(table):
                rows.update(stream=model.stream)
        else:
            for statement in unprotect(table, connection.vendor):
                cursor.execute(statement)
            rows.update(stream=model.stream)
            for statement in protect(table, connection.vendor):
                cursor.execute(statement)
        Snapshot.objects.filter(stream=former).update(stream=model.stream)
