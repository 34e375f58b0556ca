"""The settings of metrics. They are off until there is a token or an address."""

import os
from pathlib import Path
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

from config import secrets
from config.environment import Environment

FOLDER_OF_THE_LIBRARY = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus-client learns the folder. It reads it when it is imported."""


class MetricsSettings(NamedTuple):
    """The settings.

    Args:
        token: who sends it as a bearer token may read `/metrics`; empty if nobody may.
        host: the host of the address at which each machine serves its metrics without a token; empty for none.
        port: its port.
        folder: where the processes of a machine count; None if the one process counts in memory.
    """

    token: str
    host: str
    port: int
    folder: Path | None


def metrics_settings(env: Environment, var: Path, *, is_embedded: bool) -> MetricsSettings:
    """Read the settings from the environment, and prepare the folder; raises `ImproperlyConfigured`.

    Args:
        env: the environment.
        var: the folder in which the folder of the metrics is, unless another one is given.
        is_embedded: whether one process does everything.
    """
    token = env.given("METRICS_TOKEN") or ""
    if token:
        secrets.refuse_weak("METRICS_TOKEN", token, secrets.SHORTEST_WEBHOOK_SECRET)
    address = env.text(
        "METRICS_ADDRESS", "", r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}", "be host:port, such as 127.0.0.1:9100"
    )
    host, _, port = address.rpartition(":")
    if address and not 0 < int(port) < 65_536:
        raise ImproperlyConfigured(f"METRICS_ADDRESS must have a port from 1 to 65535, not {port}")
    given = env.given("METRICS_DIR")
    folder = None if is_embedded or not (token or address) else Path(given or var / "metrics")
    if folder:
        _prepare(folder)
    return MetricsSettings(token, host.strip("[]"), int(port or 0), folder)


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"METRICS_DIR cannot be used: {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise ImproperlyConfigured(f"METRICS_DIR cannot be used: {folder} cannot be written")
    os.environ[FOLDER_OF_THE_LIBRARY] = str(folder)
