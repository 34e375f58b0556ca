"""Many POSTs at once: bounded in time and size, to checked addresses only, and one that hangs delays no other."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from integration.gateways import posts as posts_module
from integration.gateways.posts import EXCERPT, Post, Posted, Posts
from tests.chaos.outages.peers import HttpPeer

LIMIT = 0.4

Send = Callable[..., list[Posted]]


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[HttpPeer]:
    peer = HttpPeer(tmp_path, tls=False)
    yield peer
    peer.close()


def send(*urls: str, local: bool = True) -> list[Posted]:
    """The results of POSTs to these URLs, in the order in which they came."""
    with Posts(LIMIT, local=local) as posts:
        for n, url in enumerate(urls):
            posts.start(Post(n, url, b'{"a": 1}', {"Content-Type": "application/json"}))
        results: list[Posted] = []
        until = time.monotonic() + 10
        while len(results) < len(urls) and time.monotonic() < until:
            results += posts.ended(1)
    return results


def test_what_a_receiver_may_do(peer: HttpPeer) -> None:
    for how, status in (("well", 200), ("201", 201), ("307", 307), ("410", 410), ("500", 500), ("redirect", 307)):
        peer.how = how
        (result,) = send(peer.url)
        assert (result.status, result.error) == (status, ""), how
    assert peer.requests["redirect /charges"] == 1
    assert "redirect /elsewhere" not in peer.requests
    peer.how = "429 7"
    (result,) = send(peer.url)
    assert (result.status, result.retry_after) == (429, timedelta(seconds=7))


def test_a_receiver_that_is_ill(peer: HttpPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts_module, "EXCERPT_WITHIN", 0.1)
    for how in ("hangs", "trickle of headers", "garbage"):
        peer.how = how
        began = time.monotonic()
        (result,) = send(peer.url)
        assert result.status is None
        assert result.error
        assert time.monotonic() - began < LIMIT + 1, how
    for how in ("trickle of a body", "body without end", "chunks without end", "body cut off"):
        peer.how = how
        (result,) = send(peer.url)
        assert result.status == 200, how
        assert len(result.excerpt) <= EXCERPT
    peer.how = "chunks without end"
    assert send(peer.url)[0].excerpt == "x" * EXCERPT


def test_one_that_hangs_delays_no_other(peer: HttpPeer, tmp_path: Path) -> None:
    hanging = HttpPeer(tmp_path, tls=False)
    hanging.how = "hangs"
    results = send(*[hanging.url] * 5, *[peer.url] * 5)
    hanging.close()
    assert [result.status for result in results] == [200] * 5 + [None] * 5


def test_only_checked_addresses_are_connected_to(peer: HttpPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([["8.8.8.8"], ["127.0.0.1"], ["1.1.1.1", "::ffff:127.0.0.1"]])
    monkeypatch.setattr(posts_module, "resolve", lambda host, port: next(found))
    connected = []

    async def connect(address: str, port: int, **options: object) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(posts_module.asyncio, "open_connection", connect)
    errors = [send(f"https://rebinding.example:{peer.port}/", local=False)[0].error for _ in range(3)]
    assert connected == ["8.8.8.8"]
    assert "ConnectionRefused" in errors[0]
    assert all("ForbiddenAddress" in error for error in errors[1:])


def test_what_is_not_https_is_not_requested(peer: HttpPeer) -> None:
    (result,) = send(peer.url, local=False)
    assert result.status is None
    assert "UnusableUrl" in result.error
    assert not peer.requests


def test_a_certificate_is_verified(tmp_path: Path) -> None:
    peer = HttpPeer(tmp_path)
    (result,) = send(peer.url)
    peer.close()
    assert result.status is None
    assert "CERTIFICATE_VERIFY_FAILED" in result.error
