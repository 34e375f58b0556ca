"""How the API shows the payment of an order."""

from rest_framework import serializers

from integration.rest.fields import MoneyField
from ordering.api.order_status import PaymentStatusField


class NextActionOutput(serializers.Serializer):
    """What the buyer must do before the money can be taken.

    With the type `redirect` they open `url`; with `display_details` they send the money to the account in `details`.
    """

    type = serializers.ChoiceField(choices=["redirect", "display_details"], help_text="What the buyer must do.")
    url = serializers.CharField(help_text="Where the buyer goes; empty unless the type is redirect.")
    details = serializers.DictField(child=serializers.CharField(), help_text="What to show to the buyer, by name.")
    expires_at = serializers.DateTimeField(help_text="Until when the provider waits.")


class PaymentOutput(serializers.Serializer):
    """The payment of an order."""

    status = PaymentStatusField(source="payment_status")
    method = serializers.CharField(source="payment_method")
    authorized = MoneyField(help_text="What is held on the card, and captured as goods leave.")
    paid = MoneyField()
    refunded = MoneyField()
    retry_until = serializers.DateTimeField(
        default=None,
        allow_null=True,
        help_text="Until when another method can be tried; null unless the payment failed.",
    )
    next_action = NextActionOutput(
        default=None, allow_null=True, help_text="What the buyer must do; null if nothing is to be done."
    )
