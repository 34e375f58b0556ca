"""Many HTTP POSTs at once to URLs that customers gave. One thread serves all, so those that hang delay no other.

Each POST is bounded in time and size, obeys no redirect, and connects only to a checked public address. Of the response
only the head and the beginning of the body are read.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import cache
from http.client import HTTPMessage, parse_headers
from io import BytesIO
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import SplitResult

from integration.domain import clock
from integration.gateways.http import Response, wait_asked_for
from integration.gateways.public_addresses import allowed_addresses, checked_url, resolve

LARGEST_HEAD = 32_768
"""Bytes of a response's status line and headers."""

EXCERPT = 2_048
"""Bytes of a response's body that are read; after them the connection is closed."""

EXCERPT_WITHIN = 2.0
"""Seconds for those bytes. The status is known by then, and nothing depends on them."""

RESOLVERS = 64
"""Names that are resolved at the same time. The system's resolver blocks its thread."""


class Post(NamedTuple):
    """A request.

    Args:
        key: the caller's name for it.
        url: https; or http to localhost, where `Posts` allows it.
        body: what is sent.
        headers: in addition to those that HTTP requires.
    """

    key: Any
    url: str
    body: bytes
    headers: Mapping[str, str]


class Posted(NamedTuple):
    """What came of a POST.

    Args:
        key: the caller's name for the request.
        status: of the response; None if there was none.
        milliseconds: from the look-up of the host until the end.
        excerpt: the beginning of the response's body.
        retry_after: how long the receiver asks to wait; None if it does not say.
        error: why there was no response, as a phrase; empty if there was one.
    """

    key: Any
    status: int | None
    milliseconds: int
    excerpt: str = ""
    retry_after: timedelta | None = None
    error: str = ""


class Malformed(OSError):
    """The response is not HTTP."""


class Posts:
    """POSTs under way, and those that have ended. Use it as a context manager: leaving it abandons what is under way.

    Args:
        timeout: seconds for a whole exchange.
        local: whether `http://localhost` is allowed.
    """

    def __init__(self, timeout: float, *, local: bool) -> None:
        self._timeout, self._local = timeout, local
        self._ended: SimpleQueue[Posted] = SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._resolvers = ThreadPoolExecutor(RESOLVERS, "resolver")
        self._thread = Thread(target=self._loop.run_forever, name="posts", daemon=True)

    def __enter__(self) -> "Posts":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    def start(self, post: Post) -> None:
        """Begin a POST; its result is among those that `ended` returns."""
        asyncio.run_coroutine_threadsafe(self._run(post), self._loop)

    def ended(self, seconds: float) -> list[Posted]:
        """The results that have come in since the last call; waits up to `seconds` for the first."""
        results = []
        with suppress(Empty):
            results.append(self._ended.get(timeout=seconds) if seconds else self._ended.get_nowait())
            while True:
                results.append(self._ended.get_nowait())
        return results

    async def _run(self, post: Post) -> None:
        began, error, heads = clock.stopwatch(), "", list[Response]()
        try:
            async with asyncio.timeout(self._timeout):
                await self._exchange(post, heads)
        except TimeoutError:
            error = f"no response within {self._timeout:g} s"
        except Exception as problem:  # whatever a receiver causes is its failure, and each POST has a result
            error = f"{type(problem).__name__}: {problem}"
        took = round((clock.stopwatch() - began) * 1_000)
        if not heads:
            self._ended.put(Posted(post.key, None, took, error=error))
        else:
            response = heads[-1]  # once the status is known, nothing else counts
            text = response.body.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
            wait = wait_asked_for(response)
            self._ended.put(Posted(post.key, response.status, took, text, wait))

    async def _exchange(self, post: Post, heads: list[Response]) -> None:
        """Send the request. The response is appended to `heads` once its head has come, and again with its body."""
        parts = checked_url(post.url, local=self._local)
        reader, writer = await self._connect(parts)
        try:
            writer.write(_head(parts, post) + post.body)
            await writer.drain()
            status, headers = await _read_head(reader)
            heads.append(Response(status, dict(headers.items()), b""))
            with suppress(TimeoutError, OSError, EOFError, ValueError):
                async with asyncio.timeout(EXCERPT_WITHIN):
                    heads.append(heads[0]._replace(body=await _read_excerpt(reader, status, headers)))
        finally:
            writer.transport.abort()

    async def _connect(self, parts: SplitResult) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, tls = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        found = await self._loop.run_in_executor(self._resolvers, resolve, host, port)
        problem: OSError = socket.gaierror(f"{host} has no address")
        for address in allowed_addresses(host, found, local=self._local):
            try:
                return await asyncio.open_connection(
                    address,
                    port,
                    limit=LARGEST_HEAD,
                    ssl=_tls() if tls else None,
                    server_hostname=host if tls else None,
                )
            except OSError as error:
                problem = error
        raise problem


def _head(parts: SplitResult, post: Post) -> bytes:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    headers = {
        "Host": host,
        "User-Agent": "Waybill",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "Content-Length": str(len(post.body)),
        **post.headers,
    }
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, HTTPMessage]:
    """The status and headers of the response; interim responses such as 103 are skipped."""
    while True:
        line, _, rest = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
        version, _, status = line.decode("latin-1").partition(" ")
        code = status[:3]
        if not (version.startswith("HTTP/1.") and code.isascii() and code.isdigit() and 100 <= int(code) <= 599):
            raise Malformed("the response is not HTTP/1.1")
        if int(code) >= 200:
            return int(code), parse_headers(BytesIO(rest))


async def _read_excerpt(reader: asyncio.StreamReader, status: int, headers: HTTPMessage) -> bytes:
    """The first `EXCERPT` bytes of the body, or all of it if it is shorter."""
    if status in (204, 304):
        return b""
    if headers.get("Transfer-Encoding", "").lower().endswith("chunked"):
        return await _read_chunks(reader)
    length = headers.get("Content-Length", "")
    wanted = min(int(length), EXCERPT) if length.isascii() and length.isdigit() else EXCERPT
    return await _read_up_to(reader, wanted)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while len(body) < EXCERPT:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if size <= 0:
            break
        part = await _read_up_to(reader, min(size, EXCERPT - len(body)))
        body += part
        if len(part) < size:
            break
        await reader.readexactly(2)
    return body


async def _read_up_to(reader: asyncio.StreamReader, wanted: int) -> bytes:
    body = b""
    while len(body) < wanted and (part := await reader.read(wanted - len(body))):
        body += part
    return body


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
