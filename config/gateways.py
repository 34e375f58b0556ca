"""The settings of payment providers and carriers."""

from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

from config import secrets
from config.environment import Environment

PAYMENT_PROVIDERS = Path(__file__).resolve().parent.parent / "billing" / "gateways"
"""The folder with a folder for each payment provider."""


def payment_provider(named: str | None, *, is_embedded: bool) -> str:
    """The payment provider, which a server must name.

    If its folder has a module `configuration`, the function of that name there checks the provider's own settings.

    Raises:
        ImproperlyConfigured: there is no such provider, or its own settings are wrong.
    """
    name = named if named is not None else "sandbox" if is_embedded else ""
    known = payment_providers()
    if name not in known:
        raise ImproperlyConfigured(
            f"PAYMENT_PROVIDER must name the payment provider: {' or '.join(known)}; the sandbox charges nobody"
        )
    if name in payment_providers("configuration"):
        import_module(f"billing.gateways.{name}.configuration").configuration()
    return name


def payment_providers(with_module: str = "adapter") -> list[str]:
    """The names of the payment providers whose folders have a module, found by looking."""
    return sorted(file.parent.name for file in PAYMENT_PROVIDERS.glob(f"*/{with_module}.py"))


def payment_provider_apps() -> list[str]:
    """The Django apps of the payment providers that have tables or checks of their own."""
    return [f"billing.gateways.{name}" for name in payment_providers("apps")]


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
