"""The form that an action of the admin shows when a command needs more than the chosen rows.

A form carries a token and acts once. So a form that is sent twice, by a double click or a reloaded page, does not
refund or receive twice. The tokens that were used are in the database, which all processes share.
"""

from collections.abc import Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.core import signing
from django.db.models import Model
from django.http import QueryDict
from django.utils.functional import cached_property

from integration.admin.columns import Shown, link
from integration.domain import clock
from integration.domain.identifiers import new_event_id
from integration.messaging.routines import Routine, register
from integration.rest.models import UsedToken

GOOD_FOR = timedelta(days=1)
"""How long a form may be open in a browser before it is sent."""


class Question(forms.Form):
    """The form that an action shows before it acts.

    Subclasses declare fields. A field named `each` is repeated for every chosen row; all others appear once.

    Args:
        rows: the chosen rows.
        data: the submitted data, or None to show the empty form.
        purpose: who is asked for what. A token of another purpose is not accepted.
    """

    rows: Sequence[Any]

    def __init__(self, rows: Sequence[Model], data: Any = None, purpose: str = "") -> None:
        super().__init__(data)
        self._salt = f"waybill.question.{purpose}"
        self._sent = str(data.get("token", "")) if data is not None else ""
        self.rows, self.each = rows, self.fields.pop("each", None)
        self._once = list(self.fields)
        if self.each:
            self.fields.update({f"each:{row.pk}": deepcopy(self.each) for row in rows})

    @cached_property
    def token(self) -> str:
        """The token for the form's next submission: the submitted one, or a new one if that is not valid."""
        if self._id_of_token():
            return self._sent
        return signing.dumps([new_event_id().hex, clock.now().timestamp()], salt=self._salt)

    @property
    def is_current(self) -> bool:
        """Whether the submitted token is one of this form, and not older than `GOOD_FOR`."""
        return self._id_of_token() is not None

    def use_token(self) -> bool:
        """Use up the submitted token; returns whether this is its first use.

        If the same token is sent twice at the same moment, the second waits here until the first has used it.
        """
        id = self._id_of_token()
        return id is not None and UsedToken.objects.get_or_create(pk=id, defaults={"used_at": clock.now()})[1]

    def _id_of_token(self) -> UUID | None:
        try:
            id, made_at = signing.loads(self._sent, salt=self._salt)
        except signing.BadSignature:
            return None
        return UUID(id) if clock.now().timestamp() < made_at + GOOD_FOR.total_seconds() else None

    def once(self) -> list[forms.BoundField]:
        """The fields that apply to all rows."""
        return [self[name] for name in self._once]

    def by_row(self) -> list[tuple[Shown, str, str, forms.BoundField | None]]:
        """Each row as a link, with what is left to do, what will happen, and its own field or None."""
        return [
            (link(type(row), row.pk, str(row)), self.left(row), self.happens(row), self._own_field(row))
            for row in self.rows
        ]

    def left(self, row: Any) -> str:
        """What the user must know of the row, such as how much can still be refunded; its status by default."""
        return str(getattr(row, "status", ""))

    def happens(self, row: Any) -> str:
        """What will happen to the row, in sentences that name the money; empty if the form's title says all."""
        return ""

    def value_for(self, row: Model) -> Any:
        """The cleaned value of the row's own field."""
        return self.cleaned_data[f"each:{row.pk}"]

    def _own_field(self, row: Model) -> forms.BoundField | None:
        return self[f"each:{row.pk}"] if self.each else None


def without_token(submitted: QueryDict) -> QueryDict:
    """The submitted values of a form that is to be shown again, with a new token."""
    data = submitted.copy()
    data.pop("token", None)
    return data


def forget_used_tokens() -> None:
    """Delete used tokens that are too old to be accepted again."""
    UsedToken.objects.filter(used_at__lt=clock.now() - 2 * GOOD_FOR).delete()


register(Routine("integration.forget-used-tokens", timedelta(hours=1), forget_used_tokens))
