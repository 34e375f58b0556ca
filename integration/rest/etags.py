"""A single resource's `ETag` is its version; `If-Match` makes a change depend on it. Source: RFC 9110."""

import re

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from integration.aggregates.aggregate import Aggregate

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


def versions_expected(request: Request) -> set[int] | None:
    """The versions any of which the client wants to change; None when any at all will do.

    An `ETag` that is none of ours, or a weak one, matches nothing.
    """
    wanted = request.headers.get("If-Match")
    if wanted is None or wanted.strip() == "*":
        return None
    return {int(tag) for tag in re.findall(r'(?:^|,)\s*"([0-9]{1,9})"\s*(?=,|$)', wanted)}
