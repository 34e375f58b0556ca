"""The form that an action of the admin shows when a command needs more than the chosen rows."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from django import forms
from django.db.models import Model

from integration.admin.columns import Shown, link


class Question(forms.Form):
    """The form that an action shows before it acts.

    Subclasses declare fields. A field named `each` is repeated for every chosen row; all others appear once.

    Args:
        rows: the chosen rows.
        data: the submitted data, or None to show the empty form.
    """

    def __init__(self, rows: Sequence[Model], data: Any = None) -> None:
        super().__init__(data)
        self.rows, self.each = rows, self.fields.pop("each", None)
        self._once = list(self.fields)
        if self.each:
            self.fields.update({f"each:{row.pk}": deepcopy(self.each) for row in rows})

    def once(self) -> list[forms.BoundField]:
        """The fields that apply to all rows."""
        return [self[name] for name in self._once]

    def by_row(self) -> list[tuple[Shown, forms.BoundField | None]]:
        """Each row as a link, with its own field or None."""
        return [(link(type(row), row.pk, str(row)), self._own_field(row)) for row in self.rows]

    def value_for(self, row: Model) -> Any:
        """The cleaned value of the row's own field."""
        return self.cleaned_data[f"each:{row.pk}"]

    def _own_field(self, row: Model) -> forms.BoundField | None:
        return self[f"each:{row.pk}"] if self.each else None
