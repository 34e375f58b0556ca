"""What the API shows of invoices, payments and refunds."""

from datetime import datetime
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing import queries
from billing.models import PAYMENT_NAMES, Invoice, InvoiceStatus, RefundStatus
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
    failure = serializers.CharField(help_text="The provider's code; empty unless the refund failed.")
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


class PaymentStatusField(serializers.ChoiceField):
    """The status of a payment in the words of the API; output only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[*PAYMENT_NAMES.values()], **options)

    def to_representation(self, value: Any) -> str:
        return PAYMENT_NAMES[value]


class InvoicePaymentOutput(serializers.Serializer):
    """A payment of an invoice."""

    id = serializers.CharField()
    invoice = serializers.CharField(source="invoice_id")
    order = serializers.CharField()
    status = PaymentStatusField()
    amount = MoneyField()
    captured = MoneyField(
        help_text="What was captured of an authorization; zero for a payment that is charged at once."
    )
    failure = serializers.CharField(help_text="The provider's decline code; empty unless the payment failed.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class SellerOutput(serializers.Serializer):
    """Who sells; from the settings of the shop."""

    name = serializers.CharField()
    address = serializers.ListField(child=serializers.CharField(), help_text="The lines of the address.")
    vat_id = serializers.CharField(help_text="The VAT identification number; empty without one.")


class InvoiceTaxOutput(serializers.Serializer):
    """The tax at one rate."""

    rate = serializers.DecimalField(max_digits=8, decimal_places=3, normalize_output=True)
    amount = MoneyField()


class CreditNoteLineOutput(serializers.Serializer):
    """What a credit note takes back of a line."""

    sku = serializers.CharField()
    quantity = serializers.IntegerField(help_text="Whole units that are taken back; zero for a part of their price.")
    amount = MoneyField()
    tax = MoneyField(allow_null=True)
    tax_rate = serializers.DecimalField(max_digits=8, decimal_places=3, normalize_output=True, allow_null=True)


class CreditNoteOutput(serializers.Serializer):
    """A credit note: a document that reduces the invoice. It stays if its refund fails."""

    id = serializers.CharField()
    number = serializers.CharField(source="number_or_none", allow_null=True, help_text="Null for a few seconds.")
    issued_at = serializers.DateTimeField(allow_null=True, help_text="The date of issue: when it got its number.")
    amount = MoneyField()
    reason = serializers.CharField(source="noted.reason")
    lines = CreditNoteLineOutput(many=True, source="noted.lines")
    shipping = MoneyField(source="noted.shipping")
    taxes = InvoiceTaxOutput(many=True, source="noted.taxes")


class InvoiceLineOutput(serializers.Serializer):
    """A line of an invoice, and how much of it is refunded."""

    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = MoneyField()
    subtotal = MoneyField()
    tax = MoneyField(source="tax_if_known", allow_null=True, help_text="The tax in the total; null if it is not known.")
    tax_rate = serializers.DecimalField(
        max_digits=8, decimal_places=3, normalize_output=True, source="rate_if_known", allow_null=True
    )
    total = MoneyField(source="due", help_text="What is due for the line, after discounts and with tax.")
    units_refunded = serializers.IntegerField(help_text="The units that were refunded.")
    credited = MoneyField(help_text="How much of the line's total is refunded, issued or on its way.")


class InvoiceOutput(serializers.Serializer):
    """An invoice with its lines, payments, refunds and credit notes."""

    number = serializers.CharField(help_text="The identifier of the invoice; `document_number` is its printed number.")
    document_number = serializers.SerializerMethodField(
        help_text="The number without gaps, a few seconds after the payment; null before, and for older invoices."
    )
    issued_at = serializers.SerializerMethodField(help_text="The date of issue: when it got its document number.")
    seller = serializers.SerializerMethodField(help_text="Who sells.")
    payer = serializers.SerializerMethodField(help_text="The lines of the payer's name and address, once confirmed.")
    order = serializers.CharField()
    status = serializers.ChoiceField(choices=InvoiceStatus.choices)
    lines = serializers.SerializerMethodField()
    discount = MoneyField()
    shipping = MoneyField(help_text="What is due for shipping, with its tax.")
    taxes = serializers.SerializerMethodField(help_text="By rate; null if the taxes are not known.")
    prices_include_tax = serializers.BooleanField(allow_null=True)
    total = MoneyField()
    authorized = MoneyField(source="held", help_text="What is authorized, and captured as goods leave.")
    paid = MoneyField()
    credited = MoneyField(source="noted", help_text="The sum of the credit notes.")
    refunded = MoneyField(help_text="The sum of the refunds that were issued.")
    payments = InvoicePaymentOutput(many=True, source="shown_payments")
    refunds = RefundOutput(many=True, source="shown_refunds")
    credit_notes = serializers.SerializerMethodField(help_text="What the invoice was reduced by, the oldest first.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(InvoiceLineOutput(many=True))
    def get_lines(self, invoice: Invoice) -> list[dict[str, Any]]:
        totals = invoice.line_totals()
        for line in invoice.lines:
            is_known = invoice.taxes is not None
            vars(line)["due"] = totals[Sku(line.sku)]
            vars(line)["tax_if_known"] = line.tax if is_known else None
            vars(line)["rate_if_known"] = line.tax_rate if is_known else None
        return [dict(InvoiceLineOutput(line).data) for line in invoice.lines]

    def get_document_number(self, invoice: Invoice) -> str | None:
        return queries.document_number(invoice)[0]

    def get_issued_at(self, invoice: Invoice) -> datetime | None:
        return queries.document_number(invoice)[1]

    @extend_schema_field(SellerOutput)
    def get_seller(self, invoice: Invoice) -> dict[str, Any]:
        return dict(SellerOutput(settings.SELLER).data)

    def get_payer(self, invoice: Invoice) -> list[str]:
        payer = queries.payer_of(invoice)
        return payer.lines if payer else []

    @extend_schema_field(InvoiceTaxOutput(many=True, allow_null=True))
    def get_taxes(self, invoice: Invoice) -> list[dict[str, Any]] | None:
        taxes = invoice.taxes_by_rate()
        return None if taxes is None else [dict(InvoiceTaxOutput(tax).data) for tax in taxes]

    @extend_schema_field(CreditNoteOutput(many=True))
    def get_credit_notes(self, invoice: Invoice) -> list[dict[str, Any]]:
        return [dict(CreditNoteOutput(note).data) for note in queries.credit_notes(invoice)]
