"""The OpenAPI document tells the whole truth: every problem an operation may answer with, every header, every limit.

What follows from how a view is made is read off it, so that a new view is described without a word more.
"""

import re
from http import HTTPStatus
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated

from integration.rest.etags import IF_MATCH, IF_NONE_MATCH
from integration.rest.fields import Input
from integration.rest.idempotency import KEY
from integration.rest.problems import CONTENT_TYPE, TITLES


class ProblemError(serializers.Serializer):
    """One thing that is wrong with the input."""

    pointer = serializers.CharField(
        help_text="Where: a JSON pointer into the body, such as #/lines/0/quantity, or # and the name of a query "
        "parameter or header."
    )
    code = serializers.CharField(help_text="What, for machines, such as unknown_sku.")
    detail = serializers.CharField(help_text="What, for people.")


class Problem(serializers.Serializer):
    """What went wrong. Source: RFC 9457."""

    type = serializers.CharField(help_text="The kind of problem, for machines, such as urn:waybill:problem:sku_taken.")
    title = serializers.CharField(help_text="What the status means.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    detail = serializers.CharField(help_text="What went wrong this time, for people.")
    errors = ProblemError(many=True, required=False)  # type: ignore[assignment]  # the name stands in the contract


def _header(name: str, description: str, on: bool | list[int]) -> OpenApiParameter:
    return OpenApiParameter(name, location=OpenApiParameter.HEADER, response=on, description=description)


ON_ANSWERS = [
    _header("X-Correlation-Id", "The story the request belongs to; name it when you ask us about it.", on=True),
    _header("WWW-Authenticate", "`Bearer`", on=[401]),
    _header("Retry-After", "In how many seconds to ask again.", on=[429]),
]


class Schema(AutoSchema):
    """How a view of the API is described."""

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        return re.sub("(Input|Output|Field)$", "", super().get_serializer_name(serializer, direction))

    def get_override_parameters(self) -> list[Any]:
        return [*super().get_override_parameters(), *ON_ANSWERS]

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
        most = getattr(field, "max_length", None)
        if isinstance(field, serializers.ListSerializer) and most:
            schema = {**schema, "minItems": 0 if field.allow_empty else 1, "maxItems": most}
        return schema

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        answers = super()._get_response_bodies(direction)
        for code, answer in answers.items():
            answer["description"] = HTTPStatus(int(code)).phrase
        for status in self._problems():
            answers[str(status)] = self._describe_problem(status)
        if self._takes(IF_NONE_MATCH):
            headers = self._get_response_headers_for_code("304")
            answers["304"] = {"description": "Not Modified", "headers": headers}
        return dict(sorted(answers.items()))

    def _describe_problem(self, status: int) -> dict[str, Any]:
        problem = self.resolve_serializer(Problem, "response").ref
        return {
            "description": TITLES[status],
            "headers": self._get_response_headers_for_code(str(status)),
            "content": {CONTENT_TYPE: {"schema": problem}},
        }

    def _problems(self) -> set[int]:
        """The statuses of the problems that a view made like this one can answer with."""
        takes_body = self.method in ("POST", "PUT", "PATCH")
        permissions = {type(permission) for permission in self.view.get_permissions()}
        answers = {
            400: takes_body,
            401: self.view.get_authenticate_header(self.view.request),
            403: permissions - {AllowAny, IsAuthenticated},
            404: "{" in self.path,
            409: self._takes(KEY),
            412: self._takes(IF_MATCH),
            413: takes_body,
            415: takes_body,
            422: True,  # a query parameter that is not there
            429: self.view.get_throttles(),
        }
        return {status for status, possible in answers.items() if possible}

    def _takes(self, parameter: OpenApiParameter) -> bool:
        return parameter in self.get_override_parameters()
