"""What every view of the API is: authenticated unless it says otherwise, in JSON, and part of a story."""

from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar, TypeVar, cast

from django.db.models import Model, QuerySet
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from integration.domain.metadata import act_as
from integration.rest.authentication import BearerToken
from integration.rest.fields import MOST_UNKNOWN
from integration.rest.middleware import actor_of
from integration.rest.pagination import PAGE_PARAMETERS

M = TypeVar("M", bound=Model)


class JsonOnly(DefaultContentNegotiation):
    """Answers in JSON, whatever `Accept` asks for: there is nothing else."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class View(GenericAPIView):
    """A view of the API.

    Subclasses may give `orderings`, the orders their list comes in, the first by default; `told_apart_by`, a unique
    field that tells rows apart which are alike in that order; and `query_parameters`, what they understand in a query
    beside filters and pages: anything else in it is refused.
    """

    authentication_classes: Sequence[type[BaseAuthentication]] = (BearerToken,)
    content_negotiation_class = JsonOnly
    query_parameters: ClassVar[tuple[str, ...]] = ()
    orderings: ClassVar[tuple[str, ...]] = ("-created_at", "created_at")
    unique_by: ClassVar[str] = "pk"

    def perform_authentication(self, request: Request) -> None:
        act_as(actor_of(request.user))

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        unknown = sorted(set(request.query_params) - self._parameters(request))[:MOST_UNKNOWN]
        if unknown:
            raise ValidationError({name: ["There is no such parameter here."] for name in unknown}, "unknown_parameter")

    def _parameters(self, request: Request) -> set[str]:
        """The query parameters there are: a list's filters, where its page begins, and what the view names itself."""
        if request.method not in SAFE_METHODS:
            return set()
        filters = getattr(self, "filterset_class", None)
        return (
            {*self.query_parameters, *filters.base_filters, *PAGE_PARAMETERS} if filters else {*self.query_parameters}
        )

    def page_of(self, rows: QuerySet[M]) -> list[M]:
        """The page of the filtered rows that the request asks for."""
        return list(self.paginate_queryset(self.filter_queryset(rows)) or [])

    def valid(self, request: Request) -> dict[str, Any]:
        """The request's body as its serializer understands it; raises `ValidationError`."""
        return _made(cast(type[Serializer], self.get_serializer_class())).run_validation(request.data)


def represent(serializer: type[Serializer], thing: Any) -> dict[str, Any]:
    """A thing as its serializer tells it."""
    return _made(serializer).to_representation(thing)


@cache
def _made(serializer: type[Serializer]) -> Serializer:
    """One for all requests: it keeps nothing of them, and making it, a copy of all its fields, is most of its cost."""
    return serializer()


def staff_with(permission: str) -> type[BasePermission]:
    """Staff whom Django's permissions, usually through their context's group, allow this.

    Args:
        permission: such as `inventory.change_stockitem`.
    """

    class StaffWith(BasePermission):
        message = f"This takes staff with the permission {permission}."

        def has_permission(self, request: Request, view: Any) -> bool:
            return is_staff_with(request.user, permission)

    return StaffWith


def is_staff_with(user: Any, permission: str) -> bool:
    """Whether a user is staff and has the permission."""
    return bool(user.is_authenticated and user.is_staff and user.has_perm(permission))
