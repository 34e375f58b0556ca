"""`manage.py serve` says that it serves once it does, and where; `HEAD` has no body on the wire."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from gunicorn import systemd
from waitress import wasyncore

from config import web
from config.management.commands import serve


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs the command up to the moment when gunicorn would fork; returns what it printed."""

    class NotServed(serve.Server):
        def run(self) -> None:
            seen.append(self._announce)

    seen: list[Callable[[], None]] = []
    monkeypatch.setattr(serve, "Server", NotServed)
    monkeypatch.setattr(serve.Command, "check", lambda self: None)

    def run_it(*arguments: str, ready: bool = True) -> str:
        out = StringIO()
        call_command("serve", *arguments, stdout=out)
        if ready:
            seen[-1]()
        return out.getvalue()

    return run_it


def test_nothing_is_announced_before_connections_are_accepted(run: Callable[..., str]) -> None:
    assert run("--port", "0", ready=False) == ""


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:"), ("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:")],  # noqa: S104
)
def test_the_banner_names_a_url_that_can_be_opened(run: Callable[..., str], host: str, url: str) -> None:
    first_line = run("--port", "0", "--host", host).strip().splitlines()[0]

    assert first_line.startswith(f"Waybill is being served on {url}")
    assert int(first_line.rpartition(":")[2]) > 0, "the port that was chosen, not the 0 that was asked for"


@pytest.mark.parametrize(
    "name", ["GUNICORN_PID", "GUNICORN_FD", "LISTEN_PID", "LISTEN_FDS", "GUNICORN_CMD_ARGS", "PORT"]
)
def test_no_variable_of_gunicorn_itself_matters(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "'abc")
    line = run("--port", "0").strip().splitlines()[0]
    assert line.startswith("Waybill is being served on http://127.0.0.1:")
    assert systemd.listen_fds() == 0
    assert not {"GUNICORN_PID", "GUNICORN_FD"} & set(os.environ)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])  # noqa: S104
def test_a_taken_port_prints_no_banner(run: Callable[..., str], host: str) -> None:
    out = StringIO()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CommandError, match="Address already in use"):
            call_command("serve", "--port", str(port), "--host", host, stdout=out)
    assert out.getvalue() == ""


# --- HEAD ---

BODY = b"all of the body"


def with_length(environ: dict[str, Any], start: Any) -> list[bytes]:
    start("200 OK", [("Content-Length", str(len(BODY)))])
    return [BODY]


def without_length(environ: dict[str, Any], start: Any) -> Iterator[bytes]:
    start("200 OK", [])
    return iter([BODY[:3], BODY[3:]])


def with_write(environ: dict[str, Any], start: Any) -> list[bytes]:
    start("200 OK", [("Content-Length", str(len(BODY)))])(BODY)
    return []


@pytest.fixture
def ask(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., tuple[bytes, bytes]]]:
    """Serves an application on a port, and returns the headers and the body of its response to raw bytes."""
    stopping = threading.Event()
    threads = []

    def request(application: Any, raw: bytes) -> tuple[bytes, bytes]:
        listener = socket.create_server(("127.0.0.1", 0))
        connections: dict[int, Any] = {}
        server = web.Server(
            application,
            connections,
            _sock=listener,
            adj=web._adjustments(1),
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )

        def serve_it() -> None:
            while not stopping.is_set():
                wasyncore.loop(0.05, use_poll=True, map=connections, count=1)
            server.task_dispatcher.shutdown(timeout=1)
            wasyncore.close_all(connections)

        threads.append(threading.Thread(target=serve_it))
        threads[-1].start()
        received = b""
        with socket.create_connection(listener.getsockname(), timeout=5) as client:
            client.sendall(raw)
            client.shutdown(socket.SHUT_WR)
            while chunk := client.recv(65_536):
                received += chunk
        headers, _, body = received.partition(b"\r\n\r\n")
        return headers, body

    yield request
    stopping.set()
    for thread in threads:
        thread.join()
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


@pytest.mark.parametrize("application", [with_length, without_length, with_write])
def test_head_has_the_headers_of_get_and_no_body(ask: Callable[..., tuple[bytes, bytes]], application: Any) -> None:
    got, body = ask(application, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    headers, nothing = ask(application, b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert BODY[3:] in body
    assert nothing == b""
    assert _names(headers) == _names(got)


def test_a_connection_goes_on_after_head(ask: Callable[..., tuple[bytes, bytes]]) -> None:
    both = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    _, rest = ask(with_length, both)

    assert rest.startswith(b"HTTP/1.1 200 OK")
    assert rest.endswith(BODY)


def test_a_refused_head_has_no_body(ask: Callable[..., tuple[bytes, bytes]]) -> None:
    headers, body = ask(with_length, b"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n")

    assert headers.startswith(b"HTTP/1.1 400")
    assert body == b""


def _names(headers: bytes) -> list[bytes]:
    return [line.partition(b":")[0] for line in headers.split(b"\r\n")]
