"""A single resource's `ETag` is its version; `If-Match` makes a change depend on it. Source: RFC 9110."""

import re

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from integration.domain.aggregate import Aggregate
from integration.domain.errors import StaleVersion

ETAG = OpenApiParameter(
    "ETag",
    location=OpenApiParameter.HEADER,
    response=[200, 201, 202],
    description="The version of the resource.",
)
LOCATION = OpenApiParameter(
    "Location",
    {"type": "string", "format": "uri"},
    OpenApiParameter.HEADER,
    response=[201],
    description="Where the new resource is.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    location=OpenApiParameter.HEADER,
    description="The `ETag` of the version that is to be changed: 412 when there is a newer one. Without it, any is.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    location=OpenApiParameter.HEADER,
    description="The `ETag` of the version that is known already: 304 without a body when it is still the latest.",
)
READING = [ETAG, IF_NONE_MATCH]
CHANGING = [ETAG, IF_MATCH]


def etag(aggregate: Aggregate) -> dict[str, str]:
    """The header that names the version."""
    return {"ETag": f'"{aggregate.version}"'}


def version_expected(request: Request) -> int | None:
    """The version the client wants to change; None when any will do.

    Raises:
        StaleVersion: for an `If-Match` that is no `ETag` of ours.
    """
    wanted = request.headers.get("If-Match")
    if wanted is None or wanted.strip() == "*":
        return None
    match = re.fullmatch(r'\s*"([0-9]{1,9})"\s*', wanted)
    if match is None:
        raise StaleVersion
    return int(match[1])
