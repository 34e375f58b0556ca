"""REST views of refunds and payments, for staff."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from billing import commands, queries
from billing.api.outputs import InvoicePaymentOutput, OwedRefundOutput, RefundOutput
from billing.api.refund_proposals import RefundProposalOutput
from billing.models import RefundProposal
from integration.domain.identifiers import InvoiceNumber, PaymentId, RefundId, Sku
from integration.domain.metadata import join_story
from integration.rest.etags import CHANGING, LOCATION, READING, etag, versions_expected
from integration.rest.fields import Input, MoneyField, Text
from integration.rest.idempotency import idempotent
from integration.rest.lines import lines_of
from integration.rest.views import View, staff_with


class RefundInput(Input):
    """What to refund: an amount, or units of lines."""

    amount = MoneyField(required=False, help_text="An amount, which is shared out over what remains of the lines.")
    lines = lines_of(required=False)
    reason = Text(max_length=500)

    def validate_lines(self, lines: list[dict[str, Any]]) -> dict[Sku, int]:
        units: dict[Sku, int] = {}
        for line in lines:
            units[Sku(line["sku"])] = units.get(Sku(line["sku"]), 0) + line["quantity"]
        return units

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("amount" in attrs) == ("lines" in attrs):
            raise serializers.ValidationError("Give either an amount or lines.", "amount_or_lines")
        return attrs


ASKED = PolymorphicProxySerializer(
    "AskedRefund", serializers=[OwedRefundOutput, RefundProposalOutput], resource_type_field_name=None
)


class Refunds(View):
    """The refunds of an invoice."""

    permission_classes = (staff_with("billing.change_invoice"),)
    serializer_class = RefundInput

    @extend_schema(request=RefundInput, responses={202: ASKED}, parameters=[*CHANGING, LOCATION])
    @idempotent
    def post(self, request: Request, number: str) -> Response:
        """Refund an amount or units of an invoice's lines. The provider is asked in the background.

        Above the shop's limit the response is a proposal, with a `status`, which a second person approves or refuses.
        """
        asked, expected = self.valid(request), versions_expected(request)
        wanted = asked["lines"] if "lines" in asked else asked["amount"]
        invoice = commands.ask_for_refund(InvoiceNumber(number), wanted, asked["reason"], expected)
        if isinstance(invoice, RefundProposal):
            headers = {**etag(invoice), "Location": reverse("refund-proposal", [invoice.id], request=request)}
            return Response(RefundProposalOutput(invoice).data, status=202, headers=headers)
        owed = invoice.last_owed
        headers = {**etag(invoice), "Location": reverse("refund", [owed.refund], request=request)}
        return Response(OwedRefundOutput(owed).data, status=202, headers=headers)


class OneRefund(View):
    """One refund."""

    permission_classes = (staff_with("billing.view_refund"),)
    serializer_class = RefundOutput

    @extend_schema(responses=RefundOutput, parameters=READING)
    def get(self, request: Request, id: str) -> Response:
        """Retrieve a refund."""
        refund = queries.refund(RefundId(id))
        join_story(refund.correlation_id)
        return Response(RefundOutput(refund).data, headers=etag(refund))


class OnePayment(View):
    """One payment."""

    permission_classes = (staff_with("billing.view_payment"),)
    serializer_class = InvoicePaymentOutput

    @extend_schema(responses=InvoicePaymentOutput, parameters=READING)
    def get(self, request: Request, id: str) -> Response:
        """Retrieve a payment."""
        payment = queries.payment(PaymentId(id))
        join_story(payment.correlation_id)
        return Response(InvoicePaymentOutput(payment).data, headers=etag(payment))
