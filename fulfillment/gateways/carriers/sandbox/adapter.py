"""The adapter that puts the sandbox carrier behind fulfillment's port.

Each of its services plays a life: some time after a label was bought its scans become known, one after the other. The
settings of the sandbox provider add a latency and a rate of lost responses here, too.
"""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from hashlib import sha256

import msgspec
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from fulfillment.gateways.carriers import Bought, CarrierScan, Declined, OutcomeUnknown, Parcel, UnreadableCallBack
from fulfillment.gateways.carriers.sandbox.models import Label
from integration.domain import clock
from integration.domain.identifiers import new_event_id
from integration.gateways import signatures
from integration.rest.parsers import parse_json

SIGNATURE_HEADER = "Sandbox-Carrier-Signature"
TRACKING_PAGE = "https://carrier.example/track/"

LIVES: Mapping[str, Sequence[str]] = {
    "sandbox_ok": ("in_transit", "delivered"),
    "sandbox_fails_once": ("in_transit", "delivery_failed", "in_transit", "delivered"),
    "sandbox_lost": ("in_transit", "lost"),
    "sandbox_returned": ("in_transit", "delivery_failed", "returned_to_sender"),
}
"""What becomes of a parcel, by the name of its service."""

NOT_SERVED = "AQ"
"""The country to which it brings nothing: Antarctica."""


class KeyReused(Exception):
    """An idempotency key was used again for a different label."""


class SandboxCarrier:
    """The sandbox carrier as a `Carrier`."""

    services: Sequence[str] = tuple(LIVES)

    def buy_label(self, key: str, parcel: Parcel) -> Bought | Declined:
        """Buy a label, once for each key; raises `KeyReused`, `OutcomeUnknown`."""
        self._travel()
        if parcel.service not in LIVES or parcel.recipient.country == NOT_SERVED:
            outcome: Bought | Declined = Declined("not_served")
        else:
            outcome = self._sold(key, parcel)
        self._travel()
        return outcome

    def cancel_label(self, key: str) -> None:
        """Cancel the label with this key, or see to it that none is sold under it; raises `OutcomeUnknown`."""
        self._travel()
        with transaction.atomic():
            Label.objects.update_or_create(pk=key, defaults={"is_cancelled": True})
        self._travel()

    def tracking_url(self, tracking_number: str) -> str:
        """The page of a parcel."""
        return TRACKING_PAGE + tracking_number

    def read_call_back(self, body: bytes, headers: Mapping[str, str]) -> CarrierScan:
        """Check the signature of a callback and decode it.

        Raises:
            ForgedCallBack: the signature is wrong.
            ParseError, UnacceptableInput: the body is not strict JSON.
            UnreadableCallBack: the body is not a callback.
        """
        signatures.check(body, headers.get(SIGNATURE_HEADER, ""), settings.SANDBOX_CARRIER_SECRETS)
        try:
            return msgspec.convert(parse_json(body), CarrierScan)
        except msgspec.ValidationError as error:
            reason, _, place = str(error).partition(" - at `$")
            raise UnreadableCallBack(reason, pointer=place.rstrip("`").replace(".", "/")) from None

    def life_of(self, label: Label) -> list[CarrierScan]:
        """All scans of a parcel, with the moments at which they become known."""
        number = label.tracking_number or ""
        return [
            CarrierScan(
                id=f"{number}-{n}",
                tracking_number=number,
                status=status,  # type: ignore[arg-type]  # LIVES has no other words
                at=label.created_at + n * settings.SANDBOX_CARRIER_STEP,
            )
            for n, status in enumerate(LIVES[label.service], 1)
        ]

    def call_back(self, scan: CarrierScan) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of a callback with a scan. The sandbox does not send it by itself."""
        body = msgspec.json.encode(scan)
        moment = int(clock.now().timestamp())
        return body, {SIGNATURE_HEADER: signatures.sign(body, settings.SANDBOX_CARRIER_SECRETS[0], moment)}

    def due_call_backs(self, at_most: int) -> Iterator[tuple[Label, list[CarrierScan], bool]]:
        """Yield labels that are not played to the end, their scans by now, and whether these are all."""
        some = Label.objects.filter(is_played=False, is_cancelled=False, tracking_number__isnull=False)
        for label in some.order_by("created_at")[:at_most]:
            life = self.life_of(label)
            known = [scan for scan in life if scan.at <= clock.now()]
            if known:
                yield label, known, len(known) == len(life)

    def note_played(self, label: Label) -> None:
        """Record that all scans of a parcel were sent."""
        Label.objects.filter(pk=label.pk).update(is_played=True)

    def _sold(self, key: str, parcel: Parcel) -> Bought | Declined:
        """Insert the label under its key, or return the label that the same request inserted before."""
        fingerprint = sha256(msgspec.json.encode(parcel, order="sorted")).hexdigest()
        number = f"SB{new_event_id().hex[-20:].upper()}"
        try:
            with transaction.atomic() if connection.in_atomic_block else nullcontext():
                label = Label.objects.create(
                    key=key, fingerprint=fingerprint, tracking_number=number, service=parcel.service
                )
        except IntegrityError:
            label = Label.objects.get(pk=key)
        if label.is_cancelled:
            return Declined("cancelled")
        if label.fingerprint != fingerprint:
            raise KeyReused(f"{key} was used for another label")
        return Bought(str(label.tracking_number))

    def _travel(self) -> None:
        """Go one way over the network: wait half the latency, and fail at half the failure rate."""
        if settings.SANDBOX_LATENCY:
            time.sleep(settings.SANDBOX_LATENCY.total_seconds() / 2)
        if random.random() < settings.SANDBOX_FAILURE_RATE / 2:  # noqa: S311 - not used for a secret
            raise OutcomeUnknown


adapter = SandboxCarrier()
