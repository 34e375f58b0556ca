"""Lists come in pages with cursors, so that nothing is missed or doubled while rows are added.

A cursor names the row a page ends with: its value in the list's order and, because several rows may have the same, what
tells it apart. Cursors are signed for their list and its order, so whatever comes back is what was given out.
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

LARGEST = 200
DEFAULT_SIZE = 50
PAGE_PARAMETERS = ("cursor", "page_size", "ordering")


class Cursor(NamedTuple):
    """Where a page begins: after the row with this value and key or, backwards, before it."""

    backwards: bool
    value: str
    key: str


class Pages(BasePagination):
    """`page_size`, up to 200, and `ordering`, one of the view's `orderings`, of which the first is the default."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """The rows of the page the request asks for."""
        self._url = request.build_absolute_uri()
        size, ordering = _size(request), _ordering(request, view)
        self._field = queryset.model._meta.get_field(ordering.lstrip("-"))
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
        # The first condition follows from the others; it is the one an index serves.
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
                {"cursor": ["This is no cursor of this list in this order. Take one from next or previous."]}, "invalid"
            ) from None

    def _link(self, row: Model, backwards: bool) -> str:
        cursor = Cursor(backwards, self._field.value_to_string(row), str(getattr(row, self._key)))
        return replace_query_param(self._url, "cursor", signing.dumps(cursor, salt=self._salt))

    def get_paginated_response(self, data: Any) -> Response:
        """The page, and where the ones beside it are."""
        return Response({"next": self._next, "previous": self._previous, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """What the OpenAPI document says of a page."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {**link, "description": "The next page; null on the last."},
                "previous": {**link, "description": "The page before; null on the first."},
                "results": {**schema, "maxItems": LARGEST},
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """What the OpenAPI document says of a list's parameters."""

        def parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
            return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}

        orderings = list(view.orderings)
        return [
            parameter("cursor", "From the `next` or `previous` of a page.", type="string"),
            parameter("page_size", "", type="integer", minimum=1, maximum=LARGEST, default=DEFAULT_SIZE),
            parameter("ordering", "", type="string", enum=orderings, default=orderings[0]),
        ]


def _size(request: Request) -> int:
    size = request.query_params.get("page_size")
    if size is None:
        return DEFAULT_SIZE
    if not (re.fullmatch("[0-9]{1,3}", size) and 1 <= int(size) <= LARGEST):
        raise ValidationError({"page_size": [f"A page has 1 to {LARGEST} results."]}, "invalid")
    return int(size)


def _ordering(request: Request, view: Any) -> str:
    wanted = request.query_params.get("ordering", view.orderings[0])
    if wanted not in view.orderings:
        raise ValidationError({"ordering": [f"One of {', '.join(view.orderings)}."]}, "invalid")
    return wanted
