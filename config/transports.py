"""kombu's transport for RabbitMQ over TLS, without one fault: it does not check host names."""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, pyamqp


class RabbitMQTransport(pyamqp.SSLTransport):
    """RabbitMQ over TLS. The certificate must be for the host that is connected to, also after a fail-over."""

    def establish_connection(self) -> Any:
        client: Any = self.client
        client.ssl = {**client.ssl, "server_hostname": client.hostname}
        return super().establish_connection()


def use_these_transports() -> None:
    """Let broker URLs lead to these transports."""
    TRANSPORT_ALIASES["amqps"] = f"{__name__}:RabbitMQTransport"
