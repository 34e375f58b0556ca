"""REST view that cancels an order."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from integration.domain.identifiers import OrderNumber
from integration.rest.etags import CHANGING, etag, versions_expected
from integration.rest.fields import Input, Text
from integration.rest.idempotency import idempotent
from integration.rest.views import is_staff_with, represent
from ordering import commands
from ordering.api.caller import caller
from ordering.api.orders import OrderOutput, OrderView
from ordering.models import CancellationReason, Order


class Cancellation(Input):
    """Why the order is no longer wanted."""

    reason = Text(max_length=500, required=False, allow_blank=True, default="")


class MayCancel(BasePermission):
    """The buyer, or staff who may change orders."""

    message = "This takes staff with the permission ordering.change_order."

    def has_object_permission(self, request: Request, view: Any, order: Order) -> bool:
        return order.buyer_id == caller(request) or is_staff_with(request.user, "ordering.change_order")


class Cancel(OrderView):
    """Cancel an order."""

    permission_classes = (IsAuthenticated, MayCancel)
    serializer_class = Cancellation

    @extend_schema(request=Cancellation, responses={202: OrderOutput}, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, number: str) -> Response:
        """Ask for an order to be cancelled; once it is confirmed, that depends on whether its goods have left."""
        wanted = self.valid(request)
        seen = self.order(number)
        self.check_object_permissions(request, seen)
        own = seen.buyer_id == caller(request)
        reason = CancellationReason.BY_BUYER if own else CancellationReason.BY_OPERATOR
        order = commands.cancel_order(OrderNumber(number), reason, wanted["reason"], versions_expected(request))
        return Response(represent(OrderOutput, order), status=202, headers=etag(order))
