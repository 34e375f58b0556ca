"""How the API shows the requested cancellations of lines, and the holds of an order."""

from rest_framework import serializers

from ordering.models import HoldReason, HoldStatus, RequestStatus


class CancelledLineOutput(serializers.Serializer):
    """Units of one line whose cancellation was requested, and how many of them are cancelled so far."""

    sku = serializers.CharField()
    quantity = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class LinesCancellationOutput(serializers.Serializer):
    """A requested cancellation of lines."""

    id = serializers.CharField()
    status = serializers.ChoiceField(choices=RequestStatus.choices)
    lines = CancelledLineOutput(many=True)


class HoldOutput(serializers.Serializer):
    """A hold: while it is active, nothing of the order is dispatched."""

    id = serializers.CharField()
    reason = serializers.ChoiceField(choices=HoldReason.choices)
    status = serializers.ChoiceField(choices=HoldStatus.choices)
