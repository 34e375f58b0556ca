"""Cursor pagination for lists: no row is missed or repeated while other rows are added.

A cursor holds the last row of a page: its value in the ordering field, and a unique key, because several rows may have
the same value. Cursors are signed for one list and one ordering, so a client can send only cursors it was given.
"""

import re
from typing import Any, NamedTuple

from django.core import signing
from django.db.models import Model, Q
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

MAX_PAGE_SIZE = 200
DEFAULT_PAGE_SIZE = 50
SHOWN_AT = "shown_at"
"""The ordering of a list that is asked for what was updated, unless the request gives another: as in `PolledRow`."""
PAGE_PARAMETERS = ("cursor", "page_size", "ordering")


class Cursor(NamedTuple):
    """Where a page begins: after the row with this value and key or, if `backwards`, before that row."""

    backwards: bool
    value: str
    key: str


class Pages(BasePagination):
    """Reads `page_size`, at most 200, and `ordering`, one of the view's `orderings`; the first one is the default."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """The rows of the requested page.

        Raises:
            ValidationError: when `cursor`, `page_size` or `ordering` is not valid.
        """
        self._url = request.build_absolute_uri()
        size, ordering = _size(request), _ordering(request, view)
        self._field = _field(queryset, ordering.lstrip("-"))
        self._key = view.unique_by
        self._salt = f"{queryset.model._meta.label} {ordering}"
        cursor = self._cursor_of(request)
        backwards = cursor is not None and cursor.backwards
        descending = ordering.startswith("-") is not backwards
        if cursor:
            queryset = queryset.filter(self._beyond(cursor, "lt" if descending else "gt"))
        sign = "-" if descending else ""
        rows = list(queryset.order_by(f"{sign}{self._field.name}", f"{sign}{self._key}")[: size + 1])
        more, page = len(rows) > size, rows[:size]
        if backwards:
            page.reverse()
        self._next = self._link(page[-1], False) if page and (more or backwards) else None
        self._previous = self._link(page[0], True) if page and (more if backwards else cursor) else None
        return page

    def _beyond(self, cursor: Cursor, lookup: str) -> Q:
        name, value = self._field.name, self._field.to_python(cursor.value)
        # The first condition is redundant. It is there because an index serves it, and does not serve the OR.
        return Q(**{f"{name}__{lookup}e": value}) & (
            Q(**{f"{name}__{lookup}": value}) | Q(**{f"{self._key}__{lookup}": cursor.key})
        )

    def _cursor_of(self, request: Request) -> Cursor | None:
        cursor = request.query_params.get("cursor")
        if cursor is None:
            return None
        try:
            return Cursor(*signing.loads(cursor, salt=self._salt))
        except signing.BadSignature:
            raise ValidationError(
                {"cursor": ["This cursor is not valid for this list and ordering. Use one from next or previous."]},
                "invalid",
            ) from None

    def _link(self, row: Model, backwards: bool) -> str:
        cursor = Cursor(backwards, self._field.value_to_string(row), str(getattr(row, self._key)))
        return replace_query_param(self._url, "cursor", signing.dumps(cursor, salt=self._salt))

    def get_paginated_response(self, data: Any) -> Response:
        """The rows of the page, with links to the next and the previous page."""
        return Response({"next": self._next, "previous": self._previous, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema of a page in the OpenAPI document."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {**link, "description": "The URL of the next page; null on the last page."},
                "previous": {**link, "description": "The URL of the previous page; null on the first page."},
                "results": {**schema, "maxItems": MAX_PAGE_SIZE},
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """The query parameters of a list in the OpenAPI document."""

        def parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
            return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}

        orderings = list(view.orderings)
        return [
            parameter("cursor", "The cursor from the `next` or `previous` URL of another page.", type="string"),
            parameter(
                "page_size",
                "The number of results on a page.",
                type="integer",
                minimum=1,
                maximum=MAX_PAGE_SIZE,
                default=DEFAULT_PAGE_SIZE,
            ),
            parameter(
                "ordering",
                "The field to sort by; a leading `-` sorts in descending order.",
                type="string",
                enum=orderings,
                default=orderings[0],
            ),
        ]


def _field(queryset: Any, name: str) -> Any:
    """The field to sort by: the model's own, or another model's that the queryset is annotated with under its name."""
    annotation = queryset.query.annotations.get(name)
    return annotation.output_field if annotation else queryset.model._meta.get_field(name)


def _size(request: Request) -> int:
    size = request.query_params.get("page_size")
    if size is None:
        return DEFAULT_PAGE_SIZE
    if not (re.fullmatch("[0-9]{1,3}", size) and 1 <= int(size) <= MAX_PAGE_SIZE):
        raise ValidationError({"page_size": [f"This must be a number from 1 to {MAX_PAGE_SIZE}."]}, "invalid")
    return int(size)


def _ordering(request: Request, view: Any) -> str:
    asked = request.query_params
    if "updated_after" in asked and "ordering" not in asked:
        return SHOWN_AT
    wanted = asked.get("ordering", view.orderings[0])
    if wanted not in view.orderings:
        raise ValidationError({"ordering": [f"This must be one of {', '.join(view.orderings)}."]}, "invalid")
    return wanted
