"""Which addresses a URL that a customer gave may lead to: public ones, and never a machine of our own network.

Otherwise a request to such a URL could reach a database, or the metadata service of a cloud, from within (server-side
request forgery). A host name is resolved once, every address is checked, and the connection goes to one of the checked
addresses. So a name that resolves differently the next time (DNS rebinding) leads nowhere else.

Sources: the IANA registries of special-purpose addresses, which `ipaddress` contains; the cloud providers' manuals for
the two addresses of metadata services that are public by their number.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""The hosts that http is allowed for, where local URLs are."""

LONGEST_URL = 2_000
"""Characters of a URL."""

METADATA = (ip_network("168.63.129.16/32"), ip_network("192.0.0.0/24"))
"""Azure's virtual public address, and the range that Oracle's and others' internal services use."""

NAT64 = ip_network("64:ff9b::/96")
"""Addresses that contain an IPv4 address, which they lead to. Source: RFC 6052."""


class ForbiddenAddress(OSError):
    """The host's address is not a public one."""


class UnusableUrl(ValueError):
    """The URL cannot be used; the message says why, as a sentence."""


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public Internet.

    Args:
        address: IPv4 or IPv6, with or without a zone.

    An address that contains another one, such as `::ffff:127.0.0.1`, is refused; NAT64 counts as what it contains.
    """
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip in NAT64:
            return is_public(str(IPv4Address(int(ip) & 0xFFFF_FFFF)))
        if ip.ipv4_mapped or ip.sixtofour or ip.teredo or ip.is_site_local:
            return False
    odd = ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback or ip.is_link_local
    return ip.is_global and not odd and not any(ip in network for network in METADATA if network.version == ip.version)


def checked_url(url: str, *, local: bool) -> SplitResult:
    """The parts of a URL that may be requested; the addresses of its host are checked only when it is requested.

    Args:
        url: as it was given.
        local: whether `http://localhost` is allowed.

    Raises:
        UnusableUrl: it is not https, or names no host or an impossible one.
    """
    if len(url) > LONGEST_URL or not url.isascii() or any(not c.isprintable() or c.isspace() for c in url):
        raise UnusableUrl(f"The URL must be at most {LONGEST_URL:,} printable ASCII characters without spaces.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UnusableUrl("The URL is malformed.") from error
    if not host or port == 0:
        raise UnusableUrl("The URL must name a host.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise UnusableUrl("The URL must contain neither a username nor a password nor a fragment.")
    is_local = local and host in LOCAL_HOSTS
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        raise UnusableUrl("The URL must begin with https://.")
    if not is_local and (host in LOCAL_HOSTS or _is_forbidden_literal(host)):
        raise UnusableUrl("The host of the URL is not a public one.")
    return parts


def allowed_addresses(host: str, found: list[str], *, local: bool) -> list[str]:
    """The addresses of a host, all of which may be connected to.

    Args:
        host: the host of the URL.
        found: what it resolves to.
        local: whether `localhost` is allowed.

    Raises:
        ForbiddenAddress: at least one of them may not. A name of both kinds is an attempt to get around the check.
    """
    if local and host in LOCAL_HOSTS:
        wrong = [address for address in found if not ip_address(address.partition("%")[0]).is_loopback]
    else:
        wrong = [address for address in found if not is_public(address)]
    if wrong:
        raise ForbiddenAddress("the host resolves to an address that is not public")
    return found


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host in the order to try them; raises `OSError`."""
    return [str(where[0]) for *_, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _is_forbidden_literal(host: str) -> bool:
    try:
        return not is_public(host)
    except ValueError:
        return False  # a name, or a form such as 0x7f.1, which is checked as what it resolves to
