"""The settings of payment providers and carriers."""

from datetime import timedelta
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

from config import secrets
from config.environment import Environment


def payment_provider(named: str | None, *, is_embedded: bool) -> str:
    """The payment provider, which a server must name; raises `ImproperlyConfigured`."""
    name = named if named is not None else "sandbox" if is_embedded else ""
    if name not in {"sandbox"}:
        raise ImproperlyConfigured(
            "PAYMENT_PROVIDER must name the payment provider; the only one so far is sandbox, which charges nobody"
        )
    return name


class CarrierSettings(NamedTuple):
    """The settings of carriers.

    Args:
        carriers: those that Waybill can talk to. An operator types the tracking numbers of all others.
        sandbox_secrets: sign the callbacks of the sandbox carrier: the first one signs, any is accepted.
        sandbox_step: the time from one scan of a parcel of the sandbox carrier to the next.
    """

    carriers: list[str]
    sandbox_secrets: list[str]
    sandbox_step: timedelta


def carrier_settings(env: Environment, secret_key: str, *, is_embedded: bool) -> CarrierSettings:
    """Read the settings of carriers; raises `ImproperlyConfigured`. Without a setting, only embedded mode has any."""
    default = ["sandbox"] if is_embedded else []
    step = env.number("SANDBOX_CARRIER_STEP_SECONDS", 20, "seconds", least=1, most=86_400)
    return CarrierSettings(
        env.listed("CARRIERS", default, "sandbox", "name carriers that there are: sandbox"),
        [secrets.derived(secret_key, secrets.SCANS)],
        timedelta(seconds=step),
    )
