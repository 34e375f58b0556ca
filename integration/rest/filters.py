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
