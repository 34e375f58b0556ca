"""Every error is an answer a client can act upon: `application/problem+json` with the reason and, for input, the place.

Source: RFC 9457.
"""

import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from integration.domain.errors import (
    DomainError,
    NotFound,
    NotYet,
    Refused,
    StaleVersion,
    Unacceptable,
    UnacceptableInput,
)
from integration.domain.money import CurrencyMismatch, NotMoney

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
MOST_ERRORS = 2_000
"""As many errors are listed: one for every line of the longest order."""
UNIQUE_VIOLATION = "23505"
"""Source: PostgreSQL, appendix A."""
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
    409: "Conflict",
    412: "Precondition failed",
    413: "Too large",
    415: "Unsupported media type",
    422: "Not acceptable input",
    429: "Too many requests",
    500: "Server error",
    503: "Not available just now",
}


def problem(status: int, code: str, detail: str, errors: Iterable[dict[str, str]] = ()) -> dict[str, Any]:
    """A problem document; `code` names the kind of problem for machines."""
    document = {
        "type": f"urn:waybill:problem:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": _sentence(detail),
    }
    listed = [{**error, "detail": _sentence(error["detail"])} for error in islice(errors, MOST_ERRORS)]
    return {**document, "errors": listed} if listed else document


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's exception handler; None for what is a bug, which then becomes a 500."""
    answer = _answer(error)
    if answer is None:
        return None
    set_rollback()
    status, document, headers = answer
    return Response(document, status=status, headers=headers, content_type=CONTENT_TYPE)


def _answer(error: Exception) -> tuple[int, dict[str, Any], dict[str, str]] | None:
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
        most = f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes"
        return 413, problem(413, "too_large", f"The body of a request has at most {most}."), {}
    if isinstance(error, OperationalError | InterfaceError):
        # Even a commit may have been done and its answer lost: so we don't say that nothing was changed.
        log.error("the database is out of reach", exc_info=error)
        detail = "The database cannot be reached. Ask again in a moment, and under the same Idempotency-Key."
        return 503, problem(503, "database_unavailable", detail), {"Retry-After": "1"}
    if isinstance(error, IntegrityError) and _is_taken(error):
        return 409, problem(409, "made_by_another", "Somebody else made the same at the same moment."), {}
    return None


def _domain_problem(error: DomainError) -> tuple[int, dict[str, Any], dict[str, str]]:
    status = next((status for family, status in STATUS.items() if isinstance(error, family)), 409)
    if status != 422:
        return status, problem(status, error.code, error.detail), {}
    found = error.errors if isinstance(error, UnacceptableInput) else [error]
    errors = [{"pointer": f"#{getattr(e, 'pointer', '')}", "code": e.code, "detail": e.detail} for e in found]
    return status, _invalid_input(errors), {}


def _invalid_input(errors: list[dict[str, str]]) -> dict[str, Any]:
    """One kind of problem for all input: what is wrong with it is in the errors, and the first in the detail too."""
    first, *others = errors
    place = "" if first["pointer"] == "#" else f"{first['pointer']}: "
    more = f" And {len(others)} more; see errors." if others else ""
    return problem(422, "invalid_input", f"{place}{_sentence(first['detail'])}{more}", errors)


def _is_taken(error: IntegrityError) -> bool:
    """Whether it is for another's row with the same key, and not for a rule of ours that a CHECK had to hold."""
    cause = error.__cause__
    return getattr(cause, "sqlstate", "") == UNIQUE_VIOLATION or getattr(cause, "sqlite_errorname", "") in SQLITE_UNIQUE


def _sentence(text: str) -> str:
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
    """REST framework's nested errors as a flat list with JSON pointers."""
    if _is_error(details):
        yield {"pointer": f"#{pointer}", "code": str(details["code"]), "detail": str(details["message"])}
    elif isinstance(details, dict):
        for field, nested in details.items():
            where = pointer if field == "non_field_errors" else f"{pointer}/{_escaped(str(field))}"
            yield from _flatten(nested, where)
    elif isinstance(details, list):
        for i, nested in enumerate(details):
            yield from _flatten(nested, pointer if _is_error(nested) else f"{pointer}/{i}")


def _is_error(details: Any) -> bool:
    return isinstance(details, dict) and isinstance(details.get("message"), str) and set(details) == {"message", "code"}


def _escaped(field: str) -> str:
    """A field's name in a JSON pointer that is a URI's fragment. Source: RFC 6901, section 6."""
    return quote(field.replace("~", "~0").replace("/", "~1"), safe="~!$&'()*+,;=:@", errors="replace")


def _json(status: int, code: str, detail: str) -> JsonResponse:
    return JsonResponse(problem(status, code, detail), status=status, content_type=CONTENT_TYPE)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 404, for a path that leads nowhere."""
    return _json(404, "not_found", f"There is nothing at {request.path}.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 400, for a request it could not read."""
    return _json(400, "bad_request", "The request could not be read.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's 500: a bug of ours, told in the log and nowhere else."""
    return _json(500, "server_error", "Something went wrong here; it is in our log, and nothing was changed.")
