"""The OpenAPI document describes every problem, header and limit of every operation.

Most of this is derived from the view itself (its permissions, throttles and parameters), so a new view needs no extra
annotations. An operation's summary is the first line of its method's docstring; its description is the rest.
"""

import re
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from threading import Lock
from typing import Any

from django.http import HttpRequest
from django.views.decorators.cache import cache_page
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response

from integration.rest.etags import IF_MATCH, IF_NONE_MATCH
from integration.rest.fields import Input
from integration.rest.idempotency import KEY
from integration.rest.problems import CONTENT_TYPE, TITLES


class ProblemError(serializers.Serializer):
    """One error in the input."""

    pointer = serializers.CharField(
        help_text="The place of the error: a JSON pointer into the body, such as #/lines/0/quantity, or #/ and the "
        "name of a query parameter or header."
    )
    code = serializers.CharField(help_text="The kind of error, for programs, such as unknown_sku.")
    detail = serializers.CharField(help_text="A description of the error, for people.")


class Problem(serializers.Serializer):
    """An error response in the format of RFC 9457."""

    type = serializers.CharField(help_text="The kind of problem, for programs, such as urn:waybill:problem:sku_taken.")
    title = serializers.CharField(help_text="A short name of the HTTP status.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    detail = serializers.CharField(help_text="A description of this occurrence of the problem, for people.")
    errors = ProblemError(many=True, required=False)  # type: ignore[assignment]  # the API requires this name


def _header(name: str, description: str, on: bool | list[int]) -> OpenApiParameter:
    return OpenApiParameter(name, location=OpenApiParameter.HEADER, response=on, description=description)


RESPONSE_HEADERS = [
    _header("X-Correlation-Id", "The id of the story the request belongs to. Quote it in support requests.", on=True),
    _header("WWW-Authenticate", "`Bearer`", on=[401]),
    _header("Retry-After", "The number of seconds to wait before the next request.", on=[429, 503]),
]


def made_once(view: Callable[..., Response]) -> Callable[..., Response]:
    """Let a view make its response once a minute, however many clients request it at once.

    Making the document takes half a second. Eight requests at once would keep all threads of a process for seconds.
    """
    cached, lock = cache_page(60)(view), Lock()

    @wraps(view)
    def from_cache(request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        with lock:
            response = cached(request, *args, **kwargs)
            return (
                response if getattr(response, "is_rendered", True) else response.render()
            )  # which stores it in the cache

    return from_cache


class Schema(AutoSchema):
    """Describes a view of the API in the OpenAPI document."""

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        return re.sub("(Input|Output|Field)$", "", super().get_serializer_name(serializer, direction))

    def get_override_parameters(self) -> list[Any]:
        return [*super().get_override_parameters(), *RESPONSE_HEADERS]

    def get_summary(self) -> str:
        return super().get_description().partition("\n")[0].rstrip(".")

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular's does
        return super().get_description().partition("\n")[2].strip()

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        schema = super()._map_basic_serializer(serializer, direction)
        strict = isinstance(serializer, Input) and direction == "request"
        return {**schema, "additionalProperties": False} if strict else schema

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> dict[str, Any]:
        schema = super()._map_serializer_field(field, direction, bypass_extensions)
        limit = getattr(field, "max_length", None)
        if isinstance(field, serializers.ListSerializer) and limit:
            schema = {**schema, "minItems": 0 if field.allow_empty else 1, "maxItems": limit}
        return schema

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        responses = super()._get_response_bodies(direction)
        for code, response in responses.items():
            response["description"] = HTTPStatus(int(code)).phrase
        for status in self._problems():
            responses[str(status)] = self._describe_problem(status)
        if self._takes(IF_NONE_MATCH):
            headers = self._get_response_headers_for_code("304")
            responses["304"] = {"description": "Not Modified", "headers": headers}
        return dict(sorted(responses.items()))

    def _describe_problem(self, status: int) -> dict[str, Any]:
        problem = self.resolve_serializer(Problem, "response").ref
        return {
            "description": TITLES[status],
            "headers": self._get_response_headers_for_code(str(status)),
            "content": {CONTENT_TYPE: {"schema": problem}},
        }

    def _problems(self) -> set[int]:
        """The statuses of the problems that this view can respond with."""
        takes_body = self.method in ("POST", "PUT", "PATCH")
        permissions = {type(permission) for permission in self.view.get_permissions()}
        statuses = {
            400: takes_body,
            401: self.view.get_authenticate_header(self.view.request),
            403: permissions - {AllowAny, IsAuthenticated},
            404: "{" in self.path,
            409: self._takes(KEY),
            412: self._takes(IF_MATCH),
            413: takes_body,
            415: takes_body,
            422: True,  # for an unknown query parameter
            429: self.view.get_throttles(),
            500: True,
            503: True,  # the database cannot be reached
        }
        more = getattr(self.view, "problems", {}).get(self.method, ())
        return {status for status, possible in statuses.items() if possible} | set(more)

    def _takes(self, parameter: OpenApiParameter) -> bool:
        return parameter in self.get_override_parameters()
