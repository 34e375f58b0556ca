"""The adapter for all carriers that Waybill cannot talk to: an operator types what the carrier says."""

from collections.abc import Mapping, Sequence

from fulfillment.gateways.carriers import Bought, CarrierScan, Declined, ForgedCallBack, Parcel


class ManualCarrier:
    """A carrier that sells no labels and sends nothing."""

    services: Sequence[str] = ()

    def buy_label(self, key: str, parcel: Parcel) -> Bought | Declined:
        """Decline: an operator gets the label elsewhere."""
        return Declined("sells_no_labels")

    def cancel_label(self, key: str) -> None:
        """There is no label."""

    def tracking_url(self, tracking_number: str) -> str:
        """There is no page."""
        return ""

    def read_call_back(self, body: bytes, headers: Mapping[str, str]) -> CarrierScan:
        """Raise `ForgedCallBack`: nobody can sign for this carrier."""
        raise ForgedCallBack("this carrier sends no callbacks")


adapter = ManualCarrier()
