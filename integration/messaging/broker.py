"""Connections on which messages are sent to the broker.

To open one takes many round trips, and their timeouts add up when the broker is slow but not silent. Therefore a thread
of its own opens the connection. A sender waits for it only for a bounded time, and uses it later if it is late.
"""

import threading
from concurrent.futures import Future

from amqp.exceptions import AMQPError, MessageNacked
from celery import Celery, current_app
from django.conf import settings
from kombu import Connection, Producer
from kombu.common import maybe_declare
from kombu.exceptions import OperationalError
from redis import RedisError

OPEN_WITHIN = 0.6
"""Seconds that a sender waits for a new connection."""
BROKER_ERRORS = (OperationalError, OSError, RedisError, AMQPError, MessageNacked)
"""What is raised when the broker is down, silent, or replies with an error."""


def connection_for_sending(app: Celery = current_app) -> Connection:
    """A connection on which the broker must respond within a second; it is opened when it is first used."""
    return app.connection_for_write(transport_options=settings.WAKEUP_TRANSPORT_OPTIONS)


def start_opening(app: Celery = current_app) -> "Future[Producer]":
    """Open a connection in a thread of its own; the result is a producer on it.

    Every queue is declared on the connection, so that to send a message takes few round trips from then on.
    """
    future: Future[Producer] = Future()

    def run() -> None:
        try:
            connection = connection_for_sending(app)
            for queue in app.amqp.queues.values():
                maybe_declare(queue, connection.default_channel)
            future.set_result(app.amqp.Producer(connection, auto_declare=False))
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
