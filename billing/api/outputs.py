"""What the API shows of invoices, payments and refunds."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.models import Invoice, InvoiceStatus, PaymentStatus, RefundStatus
from integration.domain.identifiers import Sku
from integration.rest.fields import MoneyField


class RefundOutput(serializers.Serializer):
    """A refund."""

    id = serializers.CharField()
    invoice = serializers.CharField(source="invoice_id")
    payment = serializers.CharField(source="payment_id")
    order = serializers.CharField()
    status = serializers.ChoiceField(choices=RefundStatus.choices)
    amount = MoneyField()
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class OwedRefundOutput(serializers.Serializer):
    """A refund that is owed now; the provider is asked for it in the background."""

    id = serializers.CharField(source="refund")
    invoice = serializers.CharField()
    payment = serializers.CharField()
    order = serializers.CharField()
    amount = MoneyField()
    reason = serializers.CharField()


class InvoicePaymentOutput(serializers.Serializer):
    """A payment of an invoice."""

    id = serializers.CharField()
    invoice = serializers.CharField(source="invoice_id")
    order = serializers.CharField()
    status = serializers.ChoiceField(choices=PaymentStatus.choices)
    amount = MoneyField()
    failure = serializers.CharField(help_text="The provider's decline code; empty unless the payment failed.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class InvoiceLineOutput(serializers.Serializer):
    """A line of an invoice, and how much of it is refunded."""

    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = MoneyField()
    subtotal = MoneyField()
    total = MoneyField(source="due", help_text="What is due for the line, after discounts and with tax.")
    units_refunded = serializers.IntegerField(help_text="The units that were refunded.")
    credited = MoneyField(help_text="How much of the line's total is refunded, issued or on its way.")


class InvoiceOutput(serializers.Serializer):
    """An invoice with its lines, payments and refunds."""

    number = serializers.CharField()
    order = serializers.CharField()
    status = serializers.ChoiceField(choices=InvoiceStatus.choices)
    lines = serializers.SerializerMethodField()
    discount = MoneyField()
    shipping = MoneyField(help_text="What is due for shipping, with its tax.")
    total = MoneyField()
    paid = MoneyField()
    refunded = MoneyField(help_text="The sum of the refunds that were issued.")
    payments = InvoicePaymentOutput(many=True, source="shown_payments")
    refunds = RefundOutput(many=True, source="shown_refunds")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(InvoiceLineOutput(many=True))
    def get_lines(self, invoice: Invoice) -> list[dict[str, Any]]:
        totals = invoice.line_totals()
        for line in invoice.lines:
            vars(line)["due"] = totals[Sku(line.sku)]
        return [dict(InvoiceLineOutput(line).data) for line in invoice.lines]
