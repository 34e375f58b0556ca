"""A single resource's `ETag` is its version; `If-Match` makes a change depend on it. Source: RFC 9110."""

import re

from rest_framework.request import Request

from integration.domain.aggregate import Aggregate
from integration.domain.errors import StaleVersion


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
