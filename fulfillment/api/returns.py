"""REST views of returns: a buyer asks for them and sees their own, staff decide and receive."""

from collections.abc import Iterable
from typing import Any, ClassVar, cast

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from fulfillment import commands, queries
from fulfillment.events import ReceivedLine
from fulfillment.gateways.orders import orders
from fulfillment.models import Disposition, Return, ReturnStatus
from fulfillment.models.return_policy import ASKED_FOR, ReturnReason
from integration.domain.errors import NotFound
from integration.domain.identifiers import OrderNumber, ReturnId, Sku
from integration.domain.metadata import join_story
from integration.rest.etags import CHANGING, ETAG, LOCATION, READING, etag, versions_expected
from integration.rest.fields import Choice, Input, MoneyField, Text
from integration.rest.filters import UpdatedAfter
from integration.rest.guests import FOR_GUESTS, guest_of
from integration.rest.idempotency import idempotent
from integration.rest.lines import MAX_LINES, LineInput, lines_of
from integration.rest.views import View, is_staff_with, staff_with


class ReturnLineOutput(serializers.Serializer):
    """One line of a return: the units requested, and what became of them."""

    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    reason = serializers.ChoiceField(choices=[reason.value for reason in ReturnReason])
    received = serializers.IntegerField()
    restocked = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    written_off = serializers.IntegerField()
    missing = serializers.IntegerField()
    lapsed = serializers.IntegerField(help_text="Units that were not sent in time.")


class ReturnOutput(serializers.Serializer):
    """A return with its lines, and what is refunded for what came."""

    id = serializers.CharField()
    order = serializers.CharField()
    status = serializers.ChoiceField(choices=ReturnStatus.choices)
    lines = ReturnLineOutput(many=True)
    note = serializers.CharField()
    refusal = serializers.CharField(allow_null=True, help_text="Why it was refused.")
    withdrawal = serializers.CharField(allow_null=True, help_text="The withdrawal from the order that it belongs to.")
    send_by = serializers.DateTimeField(allow_null=True, help_text="What has not come by then is not expected.")
    shop_pays_postage = serializers.BooleanField()
    fee = MoneyField(allow_null=True)
    reduction = MoneyField(allow_null=True, help_text="What the goods are worth less than before.")
    reduction_reason = serializers.CharField(allow_null=True)
    refund = MoneyField(allow_null=True, help_text="What is refunded so far for what came.")
    label = serializers.CharField(  # type: ignore[assignment]  # the field name is part of the API
        allow_null=True, default=None, help_text="Always null: no carrier sells labels for returns yet."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ReturnFilter(django_filters.FilterSet):
    """The filters of the list of returns."""

    order = django_filters.CharFilter()
    status = django_filters.ChoiceFilter(choices=ReturnStatus.choices)
    updated_after = UpdatedAfter()


class LineToReturnInput(LineInput):
    """A quantity of one SKU, and why it is sent back."""

    reason = Choice(choices=[reason.value for reason in ASKED_FOR])


class ReturnInput(Input):
    """The order, and which of its goods are to be sent back."""

    order = Text(max_length=20)
    lines = lines_of(LineToReturnInput)
    note = Text(max_length=500, required=False, allow_blank=True, default="")


class ReturnView(View):
    """A base view of returns: a buyer sees their own, staff with permission see all."""

    queryset: QuerySet[Any] = Return.objects.none()
    serializer_class: type[serializers.Serializer] = ReturnOutput

    def get_queryset(self) -> QuerySet[Return]:
        is_polled = self.request.method == "GET" and "updated_after" in self.request.query_params
        found = queries.changed_returns() if is_polled else Return.objects.all()
        if is_staff_with(self.request.user, "fulfillment.view_return"):
            return found
        return found.filter(order__in=self.own_orders)

    @property
    def own_orders(self) -> Iterable[OrderNumber]:
        """The caller's own orders; of a guest the one order that the access token opens."""
        guest = guest_of(self.request)
        return [guest.order] if guest else orders().of(self.request.user)


class Returns(ReturnView):
    """The list of returns."""

    authentication_classes = FOR_GUESTS
    permission_classes = (IsAuthenticated,)
    filterset_class = ReturnFilter
    serializer_class = ReturnInput
    problems: ClassVar = {"POST": (404,)}

    @extend_schema(responses=ReturnOutput(many=True))
    def get(self, request: Request) -> Response:
        """List the caller's returns, newest first; staff see all returns."""
        page = self.page_of(self.get_queryset())
        Return.load_parts(page)
        return self.get_paginated_response(ReturnOutput(page, many=True).data)

    @extend_schema(request=ReturnInput, responses={201: ReturnOutput}, parameters=[ETAG, LOCATION])
    @idempotent
    def post(self, request: Request) -> Response:
        """Ask to send goods of an order back.

        An operator approves or refuses it. The shop's policy says which goods may be sent back, why and for how long.
        """
        wanted = self.valid(request)
        order = OrderNumber(wanted["order"])
        if not is_staff_with(request.user, "fulfillment.change_return") and order not in self.own_orders:
            if is_staff_with(request.user, "fulfillment.view_return"):
                self.permission_denied(
                    request, "This requires a staff user with the permission fulfillment.change_return."
                )
            raise NotFound(f"there is no order {order}")
        lines = [(Sku(line["sku"]), line["quantity"], ReturnReason(line["reason"])) for line in wanted["lines"]]
        requested = commands.request_return(order, lines, wanted["note"])
        location = reverse("return", [requested.id], request=request)
        return Response(ReturnOutput(requested).data, status=201, headers={**etag(requested), "Location": location})


class OneReturn(ReturnView):
    """One return."""

    authentication_classes = FOR_GUESTS
    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=ReturnOutput, parameters=READING)
    def get(self, request: Request, id: str) -> Response:
        """Return a return."""
        found = queries.return_(ReturnId(id), self.get_queryset())
        join_story(found.correlation_id)
        return _represent(found)


class NothingMore(Input):
    """An empty body."""


class Approve(View):
    """The approval of a return."""

    permission_classes = (staff_with("fulfillment.change_return"),)
    serializer_class = NothingMore

    @extend_schema(request=None, responses=ReturnOutput, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Let the buyer send the goods of a return."""
        self.valid(request)
        return _represent(commands.approve_return(ReturnId(id), versions_expected(request)))


class RefusalInput(Input):
    """Why a return is refused; the buyer reads it."""

    reason = Text(max_length=500)


class Refuse(View):
    """The refusal of a return."""

    permission_classes = (staff_with("fulfillment.change_return"),)
    serializer_class = RefusalInput

    @extend_schema(request=RefusalInput, responses=ReturnOutput, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Refuse a return for a reason that the buyer reads."""
        reason = self.valid(request)["reason"]
        return _represent(commands.refuse_return(ReturnId(id), reason, versions_expected(request)))


class ReceivedLineInput(LineInput):
    """A quantity of one SKU that came back, or is missing, and what becomes of it."""

    disposition = Choice(choices=Disposition.values)


class ReductionInput(Input):
    """What the goods are worth less than before, and why; the buyer reads it."""

    amount = MoneyField()
    reason = Text(max_length=500)


class ReturnReceiptInput(Input):
    """What came back in one parcel of a return."""

    lines = lines_of(ReceivedLineInput, at_most=4 * MAX_LINES)
    fee = MoneyField(required=False)
    reduction = ReductionInput(required=False)


class Receive(View):
    """The receipt of a return, or of a part of it."""

    permission_classes = (staff_with("fulfillment.change_return"),)
    serializer_class = ReturnReceiptInput

    @extend_schema(request=ReturnReceiptInput, responses=ReturnOutput, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Record what came back in one parcel.

        A return may come in several parcels. Once all of it is accounted for and billing has decided what is refunded,
        the return is closed.
        """
        got = self.valid(request)
        reduction = cast(dict[str, Any], got.get("reduction", {}))
        received = commands.receive_return(
            ReturnId(id),
            [ReceivedLine(Sku(line["sku"]), line["quantity"], line["disposition"]) for line in got["lines"]],
            fee=got.get("fee"),
            reduction=reduction.get("amount"),
            reduction_reason=reduction.get("reason", ""),
            if_version=versions_expected(request),
        )
        return _represent(received)


def _represent(found: Return) -> Response:
    return Response(ReturnOutput(found).data, headers=etag(found))
