"""A single resource's `ETag` is its version; `If-Match` makes a change depend on it. Source: RFC 9110."""

import re

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from integration.aggregates.aggregate import Aggregate

ETAG = OpenApiParameter(
    "ETag",
    location=OpenApiParameter.HEADER,
    response=[200, 201, 202],
    description="The version of the resource. Send it as `If-Match` or `If-None-Match`.",
)
LOCATION = OpenApiParameter(
    "Location",
    {"type": "string", "format": "uri"},
    OpenApiParameter.HEADER,
    response=[201, 202],
    description="The URL of the new resource.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    location=OpenApiParameter.HEADER,
    description="The `ETag` of the version to change. The response is a 412 if the resource has a newer version. "
    "Without this header the current version is changed, whichever it is.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    location=OpenApiParameter.HEADER,
    description="The `ETag` of the version that the client has. The response is a 304 without a body if it is current.",
)
READING = [ETAG, IF_NONE_MATCH]
CHANGING = [ETAG, IF_MATCH]


def etag(aggregate: Aggregate, *figures: int) -> dict[str, str]:
    """The `ETag` header of an aggregate, made from its version.

    Args:
        figures: numbers that the resource shows and that change without a new version. `If-Match` ignores them.
    """
    return {"ETag": f'"{".".join(map(str, (aggregate.version, *figures)))}"'}


def versions_expected(request: Request) -> set[int] | None:
    """The versions that `If-Match` accepts, or None if the header is missing or `*`.

    Weak ETags and ETags in another form match no version.
    """
    wanted = request.headers.get("If-Match")
    if wanted is None or wanted.strip() == "*":
        return None
    return {int(tag) for tag in re.findall(r'(?:^|,)\s*"([0-9]{1,9})(?:\.[0-9]{1,9})*"\s*(?=,|$)', wanted)}
