"""The base class of all API views: token authentication by default, JSON only, strict query parameters."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, ClassVar, TypeVar, cast

from django.db.models import Model, QuerySet
from django.http import QueryDict
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.metadata import SimpleMetadata
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.throttling import BaseThrottle

from integration.domain.metadata import act_as
from integration.rest.authentication import BearerToken
from integration.rest.fields import MAX_UNKNOWN_LISTED
from integration.rest.middleware import actor_of
from integration.rest.pagination import PAGE_PARAMETERS
from integration.rest.throttling import Throttle

M = TypeVar("M", bound=Model)


class JsonOnly(DefaultContentNegotiation):
    """Responds in JSON regardless of `Accept`; the API has no other format."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class Description(SimpleMetadata):
    """The response to OPTIONS. A view without a serializer has no fields to describe."""

    def determine_actions(self, request: Request, view: Any) -> dict[str, Any]:
        return super().determine_actions(request, view) if view.serializer_class else {}


class View(GenericAPIView):
    """A view of the API.

    Subclasses may set:

    * `orderings`: the orderings of their list; the first is the default.
    * `unique_by`: a unique field that orders rows with equal values in the ordering.
    * `query_parameters`: the query parameters they accept in addition to filters and pagination. All others are errors.
    * `problems`: the statuses, by method, of problems that the OpenAPI document cannot derive from the view.
    """

    authentication_classes: Sequence[type[BaseAuthentication]] = (BearerToken,)
    content_negotiation_class = JsonOnly
    throttle_classes: Sequence[type[BaseThrottle]] = (Throttle,)
    metadata_class = Description
    query_parameters: ClassVar[tuple[str, ...]] = ()
    problems: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    orderings: ClassVar[tuple[str, ...]] = ("-created_at", "created_at")
    unique_by: ClassVar[str] = "pk"

    def perform_authentication(self, request: Request) -> None:
        act_as(actor_of(request.user))

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.query_params:
            _refuse_odd(request.query_params, self._parameters(request))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Let no cache store what a caller gets who shows a token: it may be personal."""
        final = super().finalize_response(request, response, *args, **kwargs)
        if {"Authorization", "Cart-Token"} & request.headers.keys() or request.method not in SAFE_METHODS:
            final.headers.setdefault("Cache-Control", "no-store")
        return final

    def kind_of_request(self) -> str:
        """The kind of the request, a key of the setting `THROTTLES`: its limit applies."""
        return "read" if self.request.method in SAFE_METHODS else "write"

    def scope_of_keys(self, request: Request) -> str:
        """Whose `Idempotency-Key` it is, in at most 40 characters: the caller's."""
        return actor_of(request.user)

    def secrets_of(self, data: Any) -> dict[str, str]:
        """The secrets that belong into a response of this view, such as tokens.

        They are added to what the view responds, and to a stored response that is repeated. So they are never stored,
        and must be derived from the response and its story.
        """
        return {}

    def _parameters(self, request: Request) -> set[str]:
        """The accepted query parameters: filters and pagination of a list, and the view's own `query_parameters`."""
        if request.method not in SAFE_METHODS:
            return set()
        filters = getattr(self, "filterset_class", None)
        return (
            {*self.query_parameters, *filters.base_filters, *PAGE_PARAMETERS} if filters else {*self.query_parameters}
        )

    def page_of(self, rows: QuerySet[M]) -> list[M]:
        """Filter the rows as the request says, and return the requested page."""
        return list(self.paginate_queryset(self.filter_queryset(rows)) or [])

    def valid(self, request: Request) -> dict[str, Any]:
        """Validate the request's body with the view's serializer, and return its values.

        Raises:
            ValidationError: when the body is not valid.
        """
        return _instance(cast(type[Serializer], self.get_serializer_class())).run_validation(request.data)


def _refuse_odd(given: QueryDict, known: set[str]) -> None:
    """Raise `ValidationError` for parameters that are unknown, occur more than once or are empty."""
    errors: dict[str, Any] = {}
    for name, values in sorted(given.lists()):
        if name not in known:
            errors[name] = ErrorDetail("This parameter does not exist.", "unknown_parameter")
        elif len(values) > 1:
            errors[name] = ErrorDetail("This parameter occurs more than once.", "repeated_parameter")
        elif not values[0]:
            errors[name] = ErrorDetail("This parameter is empty. Leave it out, or give a value.", "invalid")
    if errors:
        raise ValidationError(dict(islice(errors.items(), MAX_UNKNOWN_LISTED)))


def represent(serializer: type[Serializer], value: Any) -> dict[str, Any]:
    """Serialize a value to the dictionary that becomes JSON."""
    return _instance(serializer).to_representation(value)


@cache
def _instance(serializer: type[Serializer]) -> Serializer:
    """One instance for all requests. It holds no state, and creating one is slow because it copies every field."""
    return serializer()


def staff_with(permission: str) -> type[BasePermission]:
    """A permission class that admits staff with one of Django's permissions, usually through their context's group.

    Args:
        permission: such as `inventory.change_stockitem`.
    """

    class StaffWith(BasePermission):
        requires = permission
        message = f"This requires a staff user with the permission {permission}."

        def has_permission(self, request: Request, view: Any) -> bool:
            return is_staff_with(request.user, permission)

    return StaffWith


def is_staff_with(user: Any, permission: str) -> bool:
    """Whether a user is staff and has the permission."""
    return bool(user.is_authenticated and user.is_staff and user.has_perm(permission))
