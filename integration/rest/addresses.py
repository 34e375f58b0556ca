"""The address of a client, by which its requests are counted."""

from ipaddress import ip_address, ip_network
from typing import Any

from django.utils.crypto import salted_hmac
from rest_framework.throttling import BaseThrottle


def address_of(request: Any) -> str:
    """The address of the client. `X-Forwarded-For` counts only as far as proxies of ours write it (`NUM_PROXIES`)."""
    return network_of(BaseThrottle().get_ident(request) or "")


def scope_of_address(request: Any) -> str:
    """Who an `Idempotency-Key` of a client without an account belongs to: their address, as a keyed hash."""
    return f"address:{salted_hmac('scope of keys', address_of(request), algorithm='sha256').hexdigest()[:32]}"


def network_of(address: str) -> str:
    """The address of a client, to be counted. One client has a whole /64 network of IPv6."""
    try:
        ip = ip_address(address.strip())
    except ValueError:
        return address
    if ip.version == 6:
        return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))
    return str(ip)
