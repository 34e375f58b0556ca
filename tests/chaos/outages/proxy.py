"""A TCP proxy in front of a server, which makes the server silent or slow for those who connect through it."""

import contextlib
import socket
import threading
import time


class Proxy:
    """Forwards connections to a port of this machine.

    Args:
        target: the port of the server; it may be changed, and then holds for new connections.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port: int = self._listener.getsockname()[1]
        self.delay = 0.0
        self.silent = False
        self._generation = self._buried = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def turn_into_black_holes(self) -> None:
        """From now on the open connections carry nothing, and are not closed; new ones work."""
        self._generation += 1

    def bury(self) -> None:
        """Close the connections that are black holes, so that they take no sockets and threads from later outages."""
        self._buried = self._generation

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client, self._generation), daemon=True).start()

    def _serve(self, client: socket.socket, generation: int) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, sink, generation), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, generation: int) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if self.delay:
                    time.sleep(self.delay)
                while self.silent or generation != self._generation:
                    if generation < self._buried:
                        raise ConnectionAbortedError
                    time.sleep(0.2)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
