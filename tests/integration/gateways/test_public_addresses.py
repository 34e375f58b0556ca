"""A URL that a customer gave leads to public addresses only."""

import pytest

from integration.gateways.public_addresses import (
    ForbiddenAddress,
    UnusableUrl,
    allowed_addresses,
    checked_url,
    is_public,
)

FORBIDDEN = """
    0.0.0.0 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.8.8.8 168.63.129.16 169.254.169.254 172.16.0.1
    172.31.255.255 192.0.0.192 192.0.2.1 192.168.1.1 198.18.0.1 203.0.113.9 224.0.0.1 240.0.0.1 255.255.255.255 ::
    ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 2001::1
    2001:db8::1 2002:7f00:1::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1
"""
PUBLIC = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", FORBIDDEN.split())
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "//example.com/",
        "https:///x",
        "https://",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://example.com/#x",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com/\r\nHost: x",
        "https://ex\N{CYRILLIC SMALL LETTER A}mple.com/",
        "https://[::1",
        "https://[::1]/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/",
        "http://localhost:8000/",
        "https://example.com/" + "x" * 2_000,
    ],
)
def test_unusable(url: str) -> None:
    with pytest.raises(UnusableUrl):
        checked_url(url, local=False)


def test_usable() -> None:
    assert checked_url("https://example.com:8443/a?b=c", local=False).hostname == "example.com"
    assert checked_url("http://localhost:8000/a", local=True).port == 8000
    for url in ("http://example.com/", "https://10.0.0.1/"):
        with pytest.raises(UnusableUrl):
            checked_url(url, local=True)


def test_all_addresses_of_a_host_are_checked() -> None:
    assert allowed_addresses("example.com", ["1.1.1.1", "8.8.8.8"], local=False) == ["1.1.1.1", "8.8.8.8"]
    assert allowed_addresses("localhost", ["127.0.0.1", "::1"], local=True) == ["127.0.0.1", "::1"]
    for host, found, local in (
        ("example.com", ["1.1.1.1", "127.0.0.1"], False),
        ("example.com", ["127.0.0.1"], True),
        ("localhost", ["10.0.0.1"], True),
    ):
        with pytest.raises(ForbiddenAddress):
            allowed_addresses(host, found, local=local)
