"""A gateway's HTTP request is bounded in time and size as a whole, and obeys no redirect."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from integration.domain import clock
from integration.gateways import http
from integration.gateways.deadline import current_deadline, within
from integration.gateways.http import AskedToWait, NoResponse, request
from tests.chaos.outages.peers import HttpPeer

LIMIT = 0.5


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[HttpPeer]:
    peer = HttpPeer(tmp_path, tls=False)
    yield peer
    peer.close()


def _seconds(peer: HttpPeer, **options: Any) -> float:
    """The time until a request fails."""
    began = time.monotonic()
    with pytest.raises(NoResponse):
        request("POST", peer.url, b"{}", timeout=LIMIT, **options)
    return time.monotonic() - began


def test_a_peer_that_is_well_responds(peer: HttpPeer) -> None:
    response = request("POST", peer.url, b"{}", {"Idempotency-Key": "k"}, timeout=5)

    assert (response.status, response.body) == (200, b"{}")


@pytest.mark.parametrize("how", ["hangs", "late", "trickle of headers", "trickle of a body"])
def test_the_whole_exchange_ends_at_its_timeout(peer: HttpPeer, how: str) -> None:
    peer.how = how

    assert LIMIT * 0.9 < _seconds(peer) < LIMIT + 1.5


@pytest.mark.parametrize("how", ["body without end", "chunks without end"])
def test_a_body_without_end_is_not_read(peer: HttpPeer, how: str) -> None:
    peer.how = how

    _seconds(peer, largest_body=200_000)


@pytest.mark.parametrize("how", ["garbage", "body cut off", "500", "503", "redirect"])
def test_what_means_nothing_is_no_response(peer: HttpPeer, how: str) -> None:
    peer.how = how

    assert _seconds(peer) < LIMIT + 1.5


def test_a_redirect_is_not_obeyed(peer: HttpPeer) -> None:
    peer.how = "redirect"
    _seconds(peer)

    assert peer.requests == {"redirect /charges": 1}


@pytest.mark.parametrize("status", ["201", "299", "400", "402", "404", "409", "499"])
def test_any_success_and_any_refusal_is_a_response(peer: HttpPeer, status: str) -> None:
    peer.how = status

    assert request("POST", peer.url, timeout=5).status == int(status)


@pytest.mark.parametrize(
    ("after", "seconds"),
    [("7", 7), ("Sat, 28 Nov 2026 18:00:30 GMT", 30), ("Fri, 27 Nov 2026 18:00:00 GMT", 0), ("?", 1)],
)
def test_the_peer_says_when_to_ask_again(peer: HttpPeer, after: str, seconds: int) -> None:
    peer.how = f"429 {after}"

    with clock.standing_at(datetime(2026, 11, 28, 18, tzinfo=UTC)), pytest.raises(AskedToWait) as asked:
        request("POST", peer.url, timeout=5)

    assert asked.value.retry_after == timedelta(seconds=seconds)


def test_a_refused_connection_is_no_response(peer: HttpPeer) -> None:
    peer.close()

    with pytest.raises(NoResponse):
        request("POST", peer.url, timeout=LIMIT)


@pytest.mark.parametrize("url", ["ftp://example.com", "https://", "http://localhost:99999/"])
def test_a_url_that_leads_nowhere_is_no_response(url: str) -> None:
    with pytest.raises(NoResponse):
        request("POST", url, timeout=LIMIT)


@pytest.mark.parametrize("how", ["well", "wrong certificate", "hangs before TLS"])
def test_tls_verifies_and_is_bounded(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = HttpPeer(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(peer.certificates))
    http._tls.cache_clear()
    peer.how = how
    try:
        if how == "well":
            assert request("POST", peer.url, timeout=5).status == 200
        else:
            assert _seconds(peer) < LIMIT + 1.5
    finally:
        peer.close()
        http._tls.cache_clear()


def test_no_socket_stays_open(peer: HttpPeer) -> None:
    with within(5) as deadline:
        deadline.connect(("127.0.0.1", peer.port)).close()
        watched = [*deadline._sockets]

    assert [each.fileno() for each in watched] == [-1]


def test_without_a_deadline_no_connection_is_made() -> None:
    with pytest.raises(RuntimeError, match="there is no deadline"):
        current_deadline()
