"""External systems that are ill in a way that can be changed while they run: an HTTP server and a mail server.

Both use TLS. The certificate is of an authority of their own, which the environment variable `SSL_CERT_FILE` names to
those that are to trust it.
"""

import contextlib
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

WELL = "well"
LATE = 7.0
"""Seconds after which a late response comes: later than any timeout of the tests."""


class Peer:
    """A TLS server on a free port of this machine.

    Args:
        folder: for its certificates.
        tls: whether it uses TLS.
    """

    url = ""

    def __init__(self, folder: Path, *, tls: bool = True) -> None:
        self.how = WELL
        self.requests: Counter[str] = Counter()
        self._stopped = threading.Event()
        self._tls, self._wrong_tls = (_context(folder, name) for name in ("right", "wrong")) if tls else (None, None)
        self.certificates = folder / "right.pem"
        peer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    peer._serve(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads, self._server.block_on_close = True, False
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, plain: socket.socket) -> None:
        if self.how == "hangs before TLS":
            self._stopped.wait()
            return
        context: Any = self._wrong_tls if self.how == "wrong certificate" else self._tls
        with context.wrap_socket(plain, server_side=True) if context else plain as connection:
            self.converse(connection)

    def converse(self, connection: socket.socket) -> None:
        """Talk to a client."""
        raise NotImplementedError

    def hang(self) -> None:
        """Say nothing until the server is closed."""
        self._stopped.wait()

    def send_slowly(self, connection: socket.socket, text: bytes) -> None:
        """Send one byte now and then, again and again."""
        while not self._stopped.wait(0.2):
            connection.sendall(text)

    def send_for_ever(self, connection: socket.socket, text: bytes) -> None:
        """Send the same text as fast as it is read."""
        while not self._stopped.is_set():
            connection.sendall(text)


class HttpPeer(Peer):
    """Responds 200 to each request when it is well."""

    @property
    def url(self) -> str:  # type: ignore[override]
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/charges"

    def converse(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            if not (received := connection.recv(65_536)):
                return
            request += received
        path, how = request.split(b" ")[1].decode(), self.how
        self.requests[f"{how} {path}"] += 1
        ok = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
        if how == "hangs":
            self.hang()
        elif how == "late":
            time.sleep(LATE)
            connection.sendall(ok + b"Content-Length: 2\r\n\r\n{}")
        elif how == "trickle of headers":
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            self.send_slowly(connection, b"x")
        elif how == "trickle of a body":
            connection.sendall(ok + b"\r\n")
            self.send_slowly(connection, b"x")
        elif how == "body without end":
            connection.sendall(ok + b"\r\n")
            self.send_for_ever(connection, b"x" * 65_536)
        elif how == "chunks without end":
            connection.sendall(ok + b"Transfer-Encoding: chunked\r\n\r\n")
            self.send_for_ever(connection, b"1000\r\n" + b"x" * 4096 + b"\r\n")
        elif how == "body cut off":
            connection.sendall(ok + b"Content-Length: 100\r\n\r\n{}")
        elif how == "redirect":
            elsewhere = f"Location: {self.url.replace('charges', 'elsewhere')}\r\n".encode()
            connection.sendall(b"HTTP/1.1 307 See\r\nContent-Length: 0\r\n" + elsewhere + b"\r\n")
        elif how.startswith("429"):
            after = f"Retry-After: {how.partition(' ')[2]}\r\n".encode()
            connection.sendall(b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n" + after + b"\r\n")
        elif how == "garbage":
            connection.sendall(b"\x15\x03\x01\x00\x02\x02\x28")
        elif how == WELL:
            connection.sendall(ok + b"Content-Length: 2\r\n\r\n{}")
        else:
            connection.sendall(f"HTTP/1.1 {how} Status\r\nContent-Length: 0\r\n\r\n".encode())


class MailPeer(Peer):
    """Accepts every letter when it is well, and counts them by Message-ID."""

    def __init__(self, folder: Path, *, tls: bool = True) -> None:
        super().__init__(folder, tls=tls)
        self.letters: Counter[str] = Counter()

    @property
    def url(self) -> str:  # type: ignore[override]
        return f"{'smtp+ssl' if self._tls else 'smtp'}://127.0.0.1:{self.port}"

    def converse(self, connection: socket.socket) -> None:
        lines, how = connection.makefile("rb"), self.how
        self.requests[how] += 1
        if how == "hangs":
            self.hang()
        elif how == "trickle of a greeting":
            self.send_slowly(connection, b"2")
        elif how == "greeting without end":
            self.send_for_ever(connection, b"220-welcome\r\n" * 1000)
        elif how == "421":
            connection.sendall(b"421 4.7.0 too many connections\r\n")
            return
        connection.sendall(b"220 mail\r\n")
        while line := lines.readline():
            word = line[:4].upper()
            if word == b"DATA":
                connection.sendall(b"354 go\r\n")
                letter = b"".join(iter(lines.readline, b".\r\n")).decode()
                if not self._accept(connection, letter):
                    return
            elif word == b"QUIT":
                if self.how == "hangs at QUIT":
                    self.hang()
                connection.sendall(b"221 bye\r\n")
                return
            elif word == b"RCPT" and self.how == "451":
                connection.sendall(b"451 4.7.1 greylisted\r\n")
            else:
                connection.sendall(b"250 ok\r\n")

    def _accept(self, connection: socket.socket, letter: str) -> bool:
        if self.how == "hangs after the letter":
            self.hang()
        if self.how == "late":
            time.sleep(LATE)
        headers = dict(line.split(": ", 1) for line in letter.split("\r\n\r\n")[0].split("\r\n") if ": " in line)
        self.letters[headers["Message-ID"]] += 1
        connection.sendall(b"250 accepted\r\n")
        return True


def _context(folder: Path, name: str) -> ssl.SSLContext:
    """TLS with a certificate for 127.0.0.1 that signs itself."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    if not certificate.exists():
        kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", str(key), "-out", str(certificate)]
        subprocess.run(["openssl", "req", *kind, *subject, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
