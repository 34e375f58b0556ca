"""Strict filters for lists: a value that a filter cannot read is an error and is never ignored."""

from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django_filters.fields import IsoDateTimeField
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field


class YesNo(forms.Field):
    """`true` or `false`, in upper or lower case."""

    def to_python(self, value: Any) -> bool | None:
        if value in self.empty_values:
            return None
        try:
            return {"true": True, "false": False}[value.lower()]
        except KeyError:
            raise ValidationError("This must be true or false.", "invalid") from None


@extend_schema_field(OpenApiTypes.BOOL)
class YesNoFilter(django_filters.Filter):
    """A filter by `true` or `false`."""

    field_class = YesNo


class Moment(IsoDateTimeField):
    """A date and time in the format of RFC 3339, between the years 1 and 9999 in UTC."""

    def to_python(self, value: Any) -> datetime | None:
        try:
            moment = super().to_python(value)
            return moment and moment.astimezone(UTC)
        except OverflowError:
            raise ValidationError("Enter a date and time between the years 1 and 9999.", "invalid") from None


class MomentFilter(django_filters.IsoDateTimeFilter):
    """A filter by a date and time."""

    field_class = Moment


class UpdatedAfter(MomentFilter):
    """Filters the rows of a queryset with `shown_at`, as `PolledRow` has it: what changed at a moment or later."""

    def __init__(self) -> None:
        super().__init__(
            field_name="shown_at",
            lookup_expr="gte",
            help_text="What changed at this moment or later, the earliest change first. Give the `updated_at` of the "
            "last result that you have seen, and no change is missed, however late it was committed. Some results come "
            "again: that last one, and all changes of the last hour after the list was built anew.",
        )
