"""Makes the row and the parts of an aggregate again from its history, when they differ or are gone.

The history is right and the row is only its result. So this undoes a change that recorded no event, such as one by hand
in SQL, and it brings back a deleted row.
"""

from typing import Any

from django.db import IntegrityError, transaction

from integration.aggregates.aggregate import Aggregate, relation_of
from integration.aggregates.past import from_history
from integration.aggregates.rebuild import columns_that_differ
from integration.domain.errors import NotFound, Refused
from integration.history.entries import history_of
from integration.storage.reading import read
from integration.storage.rows import columns_of, key_of, values_of
from integration.storage.writing import Insert, Update, Write, write


class HistoryIncomplete(Refused):
    """Events of the aggregate are missing in its history, so its row cannot be made from it."""


class NotPossible(Refused):
    """The database refuses the row that the history results in."""


def rebuild_row(model: type[Aggregate], key: str, dry_run: bool = False) -> list[str]:
    """Make an aggregate's row and parts equal to its history, in one transaction that holds the lock of its row.

    Args:
        model: the kind of aggregate.
        key: its primary key.
        dry_run: whether to change nothing.

    Returns:
        What differs, or differed until now, as sentences; empty if nothing does.

    Raises:
        NotFound: there is no such history.
        HistoryIncomplete: versions are missing in the history.
        NotPossible: a constraint forbids the row.
        UnknownName, msgspec.ValidationError: this code cannot read an event.
    """
    try:
        with transaction.atomic():
            return _rebuild(model, key, dry_run)
    except IntegrityError as error:
        raise NotPossible(f"{NotPossible.__doc__} {' '.join(str(error).split())}") from error


def _rebuild(model: type[Aggregate], key: str, dry_run: bool) -> list[str]:
    rows = read(model, key_of(model), [key], locked=True)
    model.load_parts(rows)
    history = list(
        history_of(model._meta.app_label).objects.filter(stream=model.stream, stream_id=key).order_by("version")
    )
    if not history:
        raise NotFound(f"there are no events of {model._meta.verbose_name} {key}")
    if [entry.version for entry in history] != list(range(1, len(history) + 1)):
        raise HistoryIncomplete
    rebuilt = from_history(model, history)
    found = columns_that_differ(rows[0], rebuilt) if rows else ["the row is missing"]
    if found and not dry_run:
        _write(rebuilt, is_new=not rows)
    return found


def _write(rebuilt: Aggregate, is_new: bool) -> None:
    """Write the row, and replace all parts: only the aggregate refers to them."""
    model = type(rebuilt)
    row: Write = Insert(model) if is_new else Update(model, columns_of(model))
    write({row: [values_of(rebuilt)]})
    for name, accessor in model.parts.items():
        relation = relation_of(model, accessor)
        part: Any = relation.related_model
        old = part.objects.filter(**{relation.field.name: rebuilt.pk})
        old._raw_delete(using=old.db)
        write({Insert(part): [values_of(each) for each in getattr(rebuilt, name)]})
