"""The claim of one order on one voucher, and the state table of claims."""

from typing import ClassVar, Self

from django.db import models

from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.identifiers import BuyerId, OrderNumber, sibling
from integration.domain.states import IGNORE, STAY, StateTable, by_state
from ordering import events


class ClaimStatus(models.TextChoices):
    """The state of a claim on a voucher."""

    HELD = "held"
    REDEEMED = "redeemed"
    RELEASED = "released"


HELD, REDEEMED, RELEASED = (status.value for status in ClaimStatus)
_row = by_state(ClaimStatus)

CLAIM_LIFE = StateTable(
    ClaimStatus,
    {
        # message          held      redeemed  released
        "redeem":    _row(REDEEMED, IGNORE,   IGNORE),
        "release":   _row(RELEASED, RELEASED, IGNORE),
        "anonymize": _row(STAY,     STAY,     STAY),
    },
)  # fmt: skip


def claim_id(order: OrderNumber, voucher: str) -> str:
    """The identifier of a claim, such as `V-1001-WELCOME` for order `R-1001`."""
    return f"{sibling('V', order)}-{voucher}"


class VoucherClaim(OfOneStory):
    """The use of a voucher by an order: there is one for each pair, whatever happens to the order.

    `claimant` is whom a limit per buyer counts: a buyer's ID, or the keyed hash of a guest's e-mail address.
    """

    stream = "voucher_claim"
    life = CLAIM_LIFE

    id = models.CharField(max_length=64, primary_key=True)
    voucher = models.CharField(max_length=40)
    order = models.CharField(max_length=20)
    claimant = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=10, choices=ClaimStatus, default=ClaimStatus.HELD)
    is_counted = models.BooleanField()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [models.Index(fields=["voucher", "claimant"], name="claims_on_a_voucher")]

    def __str__(self) -> str:
        return f"claim of order {self.order} on voucher {self.voucher}"

    @classmethod
    def hold(cls, voucher: str, order: OrderNumber, buyer: BuyerId, email_hash: str, *, is_counted: bool) -> Self:
        """A new claim of an order that is being placed."""
        claim = cls()
        claim.record(
            events.VoucherHeld(voucher=voucher, order=order, buyer=buyer, email_hash=email_hash, is_counted=is_counted)
        )
        return claim

    def redeem(self) -> bool:
        """Redeem the voucher, because the order is confirmed; returns whether this changed anything."""
        accepted = self.accepts("redeem")
        if accepted:
            self.record(events.VoucherRedeemed(voucher=self.voucher, order=self._order))
        return accepted

    def release(self) -> bool:
        """Release the voucher, because the whole order is cancelled; returns whether this changed anything."""
        accepted = self.accepts("release")
        if accepted:
            self.record(events.VoucherReleased(voucher=self.voucher, order=self._order))
        return accepted

    def anonymize(self) -> None:
        """Erase who claimed the voucher."""
        if self.accepts("anonymize") and self.claimant:
            self.record(events.VoucherClaimAnonymized(voucher=self.voucher, order=self._order))

    @property
    def _order(self) -> OrderNumber:
        return OrderNumber(self.order)

    @applies(events.VoucherHeld)
    def _held(self, event: events.VoucherHeld) -> None:
        self.id = claim_id(event.order, event.voucher)
        self.voucher, self.order, self.is_counted = event.voucher, event.order, event.is_counted
        self.claimant = event.email_hash or event.buyer

    @applies(events.VoucherRedeemed)
    def _redeemed(self, event: events.VoucherRedeemed) -> None:
        self.status = ClaimStatus.REDEEMED

    @applies(events.VoucherReleased)
    def _released(self, event: events.VoucherReleased) -> None:
        self.status = ClaimStatus.RELEASED

    @applies(events.VoucherClaimAnonymized)
    def _anonymized(self, event: events.VoucherClaimAnonymized) -> None:
        self.claimant = ""
