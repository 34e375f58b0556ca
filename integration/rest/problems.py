"""Every error is an answer a client can act upon: `application/problem+json` with the reason and, for input, the place.

Source: RFC 9457.
"""

import logging
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
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
    412: "Precondition failed",
    413: "Too large",
    415: "Unsupported media type",
    422: "Not acceptable input",
    429: "Too many requests",
    500: "Server error",
}


def problem(status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """A problem document; `code` names the kind of problem for machines."""
    document = {
        "type": f"urn:waybill:problem:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
    }
    return {**document, "errors": errors} if errors else document


def answer_problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's exception handler; None for what is a bug, which then becomes a 500."""
    answer = _answer(error)
    if answer is None:
        return None
    set_rollback()
    status, document, headers = answer
    return Response(document, status=status, headers=headers, content_type=CONTENT_TYPE)


def _answer(error: Exception) -> tuple[int, dict[str, Any], dict[str, str]] | None:
    if isinstance(error, DomainError):
        return _answer_domain(error)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.ValidationError):
        errors = list(_flatten(error.get_full_details(), ""))
        return 422, problem(422, "invalid_input", "The input is not acceptable; see errors.", errors), {}
    if isinstance(error, exceptions.APIException):
        return error.status_code, problem(error.status_code, _code(error), _detail(error)), _headers(error)
    return None


def _answer_domain(error: DomainError) -> tuple[int, dict[str, Any], dict[str, str]]:
    status = next((status for family, status in STATUS.items() if isinstance(error, family)), 409)
    found = error.errors if isinstance(error, UnacceptableInput) else [error] if isinstance(error, Unacceptable) else []
    errors = [{"pointer": f"#{e.pointer}", "code": e.code, "detail": e.detail} for e in found]
    return status, problem(status, error.code, error.detail, errors), {}


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
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        yield {"pointer": f"#{pointer}", "code": str(details["code"]), "detail": str(details["message"])}
    elif isinstance(details, dict):
        for field, nested in details.items():
            where = pointer if field == "non_field_errors" else f"{pointer}/{_escaped(str(field))}"
            yield from _flatten(nested, where)
    elif isinstance(details, list):
        for i, nested in enumerate(details):
            is_error = isinstance(nested, dict) and set(nested) == {"message", "code"}
            yield from _flatten(nested, pointer if is_error else f"{pointer}/{i}")


def _escaped(field: str) -> str:
    return field.replace("~", "~0").replace("/", "~1")


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
