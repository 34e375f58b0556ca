"""Every error response is an `application/problem+json` document with the reason and, for input, where it is wrong.

Source: RFC 9457.
"""

import logging
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from integration.domain.errors import (
    DomainError,
    NotFound,
    NotYet,
    Refused,
    RefusedInput,
    StaleVersion,
    Unacceptable,
    UnacceptableInput,
)
from integration.domain.money import CurrencyMismatch, NotMoney
from integration.rest.pointers import escaped
from integration.storage.postgresql.connection import is_stale_plan

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
MAX_ERRORS_LISTED = 2_000
"""The number of errors that a problem lists: one for every line of the longest order."""
MAX_URL_LENGTH = 64_000
"""Bytes of the path and the query. Source: RFC 9110, section 4.1, recommends at least 8,000."""
UNIQUE_VIOLATION = "23505"
"""Source: PostgreSQL documentation, appendix A, error codes."""
SQLITE_UNIQUE = {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}

STATUS: dict[type[DomainError], int] = {
    UnacceptableInput: 422,
    Unacceptable: 422,
    NotMoney: 422,
    CurrencyMismatch: 422,
    NotFound: 404,
    StaleVersion: 412,
    NotYet: 409,
    Refused: 409,
}
TITLES = {
    400: "Malformed request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    411: "Length required",
    412: "Precondition failed",
    413: "Content too large",
    414: "URL too long",
    415: "Unsupported media type",
    422: "Invalid input",
    429: "Too many requests",
    431: "Headers too large",
    500: "Server error",
    501: "Not implemented",
    503: "Service unavailable",
}


def problem(status: int, code: str, detail: str, errors: Iterable[dict[str, str]] = ()) -> dict[str, Any]:
    """Build a problem document.

    Args:
        status: the HTTP status.
        code: the kind of problem, for programs; it becomes the last part of `type`.
        detail: what went wrong, for people.
        errors: each with `pointer`, `code` and `detail`; at most `MAX_ERRORS_LISTED` are listed.
    """
    document = {
        "type": f"urn:waybill:problem:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": _sentence(detail),
    }
    listed = [{**error, "detail": _sentence(error["detail"])} for error in islice(errors, MAX_ERRORS_LISTED)]
    return {**document, "errors": listed} if listed else document


def too_large_problem() -> dict[str, Any]:
    """The problem document for a body beyond the limit."""
    limit = f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes"
    return problem(413, "too_large", f"The body of a request must not exceed {limit}.")


def url_too_long_problem() -> dict[str, Any]:
    """The problem document for a URL beyond the limit."""
    return problem(414, "url_too_long", f"The path and the query of a URL must not exceed {MAX_URL_LENGTH:,} bytes.")


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's exception handler. None means the exception is a bug, and Django responds with a 500."""
    described = _describe(error)
    if described is None:
        return None
    set_rollback()
    status, document, headers = described
    # A problem is JSON, also where the view itself responds in another format.
    context["request"].accepted_renderer, context["request"].accepted_media_type = JSONRenderer(), CONTENT_TYPE
    return Response(document, status=status, headers=headers, content_type=CONTENT_TYPE)


def _describe(error: Exception) -> tuple[int, dict[str, Any], dict[str, str]] | None:
    if isinstance(error, DomainError):
        return _domain_problem(error)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.ValidationError):
        return 422, _invalid_input(list(_flatten(error.get_full_details(), ""))), {}
    if isinstance(error, exceptions.APIException):
        return error.status_code, problem(error.status_code, _code(error), _detail(error)), _headers(error)
    if isinstance(error, RequestDataTooBig):
        return 413, too_large_problem(), {}
    if isinstance(error, OperationalError | InterfaceError) and not is_stale_plan(error):
        return _unavailable(error)
    if isinstance(error, IntegrityError) and _is_taken(error):
        return 409, problem(409, "made_by_another", "Another request created the same resource at the same time."), {}
    return None


def _unavailable(error: Exception) -> tuple[int, dict[str, Any], dict[str, str]]:
    log.error("the database cannot be reached", exc_info=error)
    # The connection may have failed after a commit succeeded, so the text does not say that nothing was changed.
    detail = "The database cannot be reached. Retry in a moment, with the same Idempotency-Key."
    return 503, problem(503, "database_unavailable", detail), {"Retry-After": "1"}


def _domain_problem(error: DomainError) -> tuple[int, dict[str, Any], dict[str, str]]:
    status = next((status for family, status in STATUS.items() if isinstance(error, family)), 409)
    found: list[Any] = error.errors if isinstance(error, UnacceptableInput | RefusedInput) else [error]
    errors = [{"pointer": f"#{getattr(e, 'pointer', '')}", "code": e.code, "detail": e.detail} for e in found]
    if status == 422:
        return status, _invalid_input(errors), {}
    document = problem(status, error.code, error.detail, errors if isinstance(error, RefusedInput) else ())
    return status, {**document, **error.more}, {}


def _invalid_input(errors: list[dict[str, str]]) -> dict[str, Any]:
    """The problem for all invalid input: `errors` lists everything that is wrong, and `detail` repeats the first."""
    first, *others = errors
    place = "" if first["pointer"] == "#" else f"{first['pointer']}: "
    more = f" And {len(others)} more; see errors." if others else ""
    return problem(422, "invalid_input", f"{place}{_sentence(first['detail'])}{more}", errors)


def _is_taken(error: IntegrityError) -> bool:
    """Whether a unique constraint failed: another request has inserted the same key. A failed CHECK is a bug."""
    cause = error.__cause__
    return getattr(cause, "sqlstate", "") == UNIQUE_VIOLATION or getattr(cause, "sqlite_errorname", "") in SQLITE_UNIQUE


def _sentence(text: str) -> str:
    text = text.encode(errors="replace").decode()  # a detail may repeat input, and no encoding has lone surrogates
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _code(error: exceptions.APIException) -> str:
    codes = error.get_codes()
    return codes if isinstance(codes, str) else error.default_code


def _detail(error: exceptions.APIException) -> str:
    return str(error.detail) if isinstance(error.detail, str) else str(error.default_detail)


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


def _flatten(details: Any, pointer: str) -> Iterator[dict[str, str]]:
    """Flatten REST framework's nested errors into a list with JSON pointers."""
    if _is_error(details):
        yield {"pointer": f"#{pointer}", "code": str(details["code"]), "detail": str(details["message"])}
    elif isinstance(details, dict):
        for field, nested in details.items():
            where = pointer if field == "non_field_errors" else f"{pointer}/{escaped(str(field))}"
            yield from _flatten(nested, where)
    elif isinstance(details, list):
        for i, nested in enumerate(details):
            yield from _flatten(nested, pointer if _is_error(nested) else f"{pointer}/{i}")


def _is_error(details: Any) -> bool:
    return isinstance(details, dict) and isinstance(details.get("message"), str) and set(details) == {"message", "code"}


def _json(document: dict[str, Any], headers: dict[str, str] | None = None) -> JsonResponse:
    response = JsonResponse(document, status=document["status"], headers=headers, content_type=CONTENT_TYPE)
    response["Content-Length"] = len(response.content)  # the middleware that adds it may come later
    return response


def too_large() -> HttpResponse:
    """The response to a body beyond the limit."""
    return _json(too_large_problem())


def url_too_long() -> HttpResponse:
    """The response to a URL beyond the limit."""
    return _json(url_too_long_problem())


def length_required() -> HttpResponse:
    """The response to a body whose length the server cannot find out."""
    return _json(problem(411, "length_required", "Send the body with a Content-Length."))


def method_not_allowed(request: HttpRequest, allowed: Iterable[str]) -> HttpResponse:
    """The response to a method that a page does not have."""
    detail = f'Method "{request.method}" not allowed.'
    return _json(problem(405, "method_not_allowed", detail), {"Allow": ", ".join(allowed)})


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler404`: no URL pattern matches the path."""
    return _json(problem(404, "not_found", f"There is nothing at {request.path}."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler400`: Django could not read the request."""
    if isinstance(exception, RequestDataTooBig):
        return too_large()
    return _json(problem(400, "bad_request", "The request could not be read."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`: a bug, or a database that a page cannot reach.

    Details are written to the log only, because they may be confidential.
    """
    if isinstance(error := sys.exception(), OperationalError | InterfaceError):
        _, document, headers = _unavailable(error)
        return _json(document, headers)
    return _json(problem(500, "server_error", "An internal error occurred. It was logged, and nothing was changed."))
