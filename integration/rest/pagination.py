"""Lists come in pages with cursors, so that nothing is missed or doubled while rows are added."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

LARGEST = 200


class Pages(CursorPagination):
    """`page_size`, up to 200, and `ordering`, one of the view's `orderings`, of which the first is the default."""

    page_size = 50
    max_page_size = LARGEST
    page_size_query_param = "page_size"

    def decode_cursor(self, request: Request) -> Any:
        try:
            return super().decode_cursor(request)
        except NotFound:
            raise ValidationError({"cursor": ["This is no cursor of this list."]}, "invalid") from None

    def get_page_size(self, request: Request) -> int:
        size = request.query_params.get("page_size")
        if size is None:
            return self.page_size
        if not (size.isascii() and size.isdigit() and 1 <= int(size[:6]) <= LARGEST):
            raise ValidationError({"page_size": [f"A page has 1 to {LARGEST} results."]}, "invalid")
        return int(size)

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        wanted = request.query_params.get("ordering") or view.orderings[0]
        if wanted not in view.orderings:
            raise ValidationError({"ordering": [f"One of {', '.join(view.orderings)}."]}, "invalid")
        # The key makes the order total, so that rows of the same moment keep their places.
        return (wanted, "pk") if wanted.lstrip("-") != queryset.model._meta.pk.name else (wanted,)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """What the OpenAPI document says of a list's parameters."""

        def parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
            return {"name": name, "in": "query", "required": False, "schema": schema}

        return [
            parameter("cursor", {"type": "string"}),
            parameter("page_size", {"type": "integer", "minimum": 1, "maximum": LARGEST}),
            parameter("ordering", {"type": "string", "enum": list(view.orderings)}),
        ]
