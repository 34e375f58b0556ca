"""Completes the OpenAPI document: every field has a description, every operation examples, every problem its type.

These are hooks of drf-spectacular. They fill in what a view does not say itself, so a new view has it at once.
"""

import re
from collections.abc import Iterator
from typing import Any

from integration.domain.errors import DomainError
from integration.rest.field_descriptions import DESCRIPTIONS, EXAMPLES
from integration.rest.problems import CONTENT_TYPE, STATUS, TITLES

MOST_DEEP = 8
"""How deep an example goes into objects in objects."""

CODES = {
    400: ("parse_error", "The body is not valid JSON."),
    401: ("not_authenticated", "Authentication credentials were not provided."),
    403: ("permission_denied", "You do not have permission to perform this action."),
    404: ("not_found", "Not found."),
    405: ("method_not_allowed", 'Method "PUT" not allowed.'),
    409: ("not_allowed", "The state of the object does not allow this."),
    412: ("stale_version", "The object was changed after it was read."),
    413: ("too_large", "The body of a request must not exceed 2,621,440 bytes."),
    415: ("unsupported_media_type", 'Unsupported media type "text/plain" in request.'),
    422: ("invalid_input", "#/lines/0/quantity: This value is too large."),
    429: ("throttled", "Request was throttled. Expected available in 12 seconds."),
    500: ("server_error", "An internal error occurred. It was logged, and nothing was changed."),
    503: ("database_unavailable", "The database cannot be reached. Retry in a moment, with the same Idempotency-Key."),
}
"""For each status the code of its most common problem, and an example of its detail."""

OF_FORMAT = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "decimal": "19.90",
    "double": 1.5,
    "email": "ada@example.com",
    "uri": "https://shop.example.com/api/v1/orders/R-1001",
    "uuid": "0197c7d2-5b3e-7c11-9f0a-3f1f6c1f4d55",
}


def complete(result: dict[str, Any], generator: Any, request: Any, public: Any) -> dict[str, Any]:
    """The hook: completes the whole document."""
    schemas = result["components"]["schemas"]
    for name, schema in schemas.items():
        for field, described in schema.get("properties", {}).items():
            _describe(name, field, described)
    for path in result["paths"].values():
        for operation in path.values():
            if "responses" in operation:
                _add_examples(operation, schemas)
    result["x-problem-types"] = problem_types()
    return result


def problem_types() -> list[dict[str, Any]]:
    """All types of problems: those of HTTP, and those of the contexts."""
    found = {code: (status, detail) for status, (code, detail) in CODES.items()}
    for kind in _kinds(DomainError):
        if kind.__module__.partition(".")[0] != "tests" and kind.__doc__:
            status = next((status for family, status in STATUS.items() if issubclass(kind, family)), 409)
            found.setdefault(kind.code, (status, " ".join(kind.__doc__.partition("\n\n")[0].split())))
    return [
        {"type": f"urn:waybill:problem:{code}", "status": status, "title": TITLES[status], "detail": detail}
        for code, (status, detail) in sorted(found.items())
    ]


def _kinds(family: type[DomainError]) -> Iterator[type[DomainError]]:
    for kind in family.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _describe(name: str, field: str, described: dict[str, Any]) -> None:
    text = DESCRIPTIONS.get(f"{name}.{field}") or DESCRIPTIONS.get(field)
    if text and not described.get("description"):
        if "$ref" in described:  # what is next to a reference is ignored by many programs
            described["allOf"] = [{"$ref": described.pop("$ref")}]
        described["description"] = text


def _add_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    for body in operation.get("requestBody", {}).get("content", {}).values():
        body.setdefault("example", example(body["schema"], schemas, "", is_request=True))
    for status, response in operation["responses"].items():
        for media, content in response.get("content", {}).items():
            if media == CONTENT_TYPE:
                content["example"] = _problem(int(status))
            elif media == "application/json":
                content.setdefault("example", example(content["schema"], schemas, ""))


def _problem(status: int) -> dict[str, Any]:
    code, detail = CODES[status]
    problem = {"type": f"urn:waybill:problem:{code}", "title": TITLES[status], "status": status, "detail": detail}
    if status == 422:
        errors = [{"pointer": "#/lines/0/quantity", "code": "max_value", "detail": "This value is too large."}]
        return {**problem, "errors": errors}
    return problem


def example(
    schema: dict[str, Any], schemas: dict[str, Any], name: str, *, is_request: bool = False, deep: int = 0
) -> Any:
    """An example of what a schema describes.

    Args:
        schema: the schema.
        schemas: the schemas that it may refer to, by name.
        name: the name of the field that it is of; empty if it is of none.
        is_request: whether optional fields are left out.
        deep: how deep it lies in objects.
    """
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rpartition("/")[2]], schemas, name, is_request=is_request, deep=deep)
    for choice in ("allOf", "oneOf", "anyOf"):
        if choice in schema:
            one: dict[str, Any] = next((each for each in schema[choice] if each.get("type") != "null"), {})
            return example(one, schemas, name, is_request=is_request, deep=deep)
    if "example" in schema:
        return schema["example"]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return next((each for each in schema["enum"] if each not in (None, "")), None)
    match _type(schema):
        case "object":
            return _object(schema, schemas, is_request=is_request, deep=deep)
        case "array":
            if deep >= MOST_DEEP:
                return []
            return [example(schema.get("items", {}), schemas, name, is_request=is_request, deep=deep + 1)]
        case "string":
            return _text(schema, name)
        case "integer":
            return max(schema.get("minimum", 1), 1)
        case "number":
            return 1.5
        case "boolean":
            return True
    return None


def _type(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "")
    return next((each for each in kind if each != "null"), "") if isinstance(kind, list) else kind


def _object(schema: dict[str, Any], schemas: dict[str, Any], *, is_request: bool, deep: int) -> dict[str, Any]:
    fields = schema.get("properties", {})
    chosen = list(fields)
    if is_request:
        chosen = [field for field in fields if field in schema.get("required", ())] or chosen[:1]
    return {
        field: example(fields[field], schemas, field, is_request=is_request, deep=deep + 1)
        for field in chosen
        if deep < MOST_DEEP
    }


def _text(schema: dict[str, Any], name: str) -> str:
    if schema.get("format") in OF_FORMAT:
        return str(OF_FORMAT[schema["format"]])
    pattern, longest, shortest = schema.get("pattern"), schema.get("maxLength", 1_000), schema.get("minLength", 0)
    for text in (EXAMPLES.get(name), "R-1001", "R-1001-1", "MUG", "1.00", "USD", "GB", "ordering.order-placed", "text"):
        if text and shortest <= len(text) <= longest and (not pattern or re.search(pattern, text)):
            return text
    return "text"
