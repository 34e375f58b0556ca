"""What clients of the web see, and what its processes hold in memory."""

import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack

from tests.bench.orders_through import furnish_plain
from tests.bench.pairing import Measurement, Pair, in_turn
from tests.bench.stage import Stage
from tests.system.running_system import PYTHON, Program, eventually, free_port


def requests(stage: Stage) -> Measurement:
    """Row c: requests beside those of a bare view."""
    n, port = stage.scale.requests, free_port()
    gunicorn = [
        *PYTHON,
        "-m",
        "gunicorn",
        "tests.bench.baselines.wsgi",
        "--no-control-socket",
        "--log-level",
        "warning",
    ]
    serving = ["--bind", f"127.0.0.1:{port}", "--workers", "2", "--worker-class", "gthread", "--threads", "8"]
    with ExitStack() as ends:
        furnish_plain(stage)
        system = ends.enter_context(stage.system())
        client = ends.enter_context(stage.crew("tests.bench.post", 1, dict(os.environ)))
        bare = Program([*gunicorn, *serving], stage.folder, stage.plain(), stage.folder / "bare.log")
        ends.callback(bare.kill)
        token = system.token()
        eventually(lambda: _listens(port), bool, f"a bare view:\n{bare.output}")

        def ours() -> Mapping[str, float]:
            with system.frozen("worker", "beat"):
                rate = n / client.time(requests=n, port=system.system.port, skus=stage.scale.skus, token=token)
            system.come_to_rest()
            return {"": rate}

        def baseline() -> Mapping[str, float]:
            with system.frozen():
                return {"": n / client.time(requests=n, port=port, skus=stage.scale.skus)}

        pairs = in_turn(ours, baseline, stage.scale.rounds)
    return pairs, f"{n:,} requests by 8 clients"


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def memory(stage: Stage) -> Measurement:
    """Row k: memory after many orders beside that after a few."""
    few, many = stage.scale.memory
    with stage.system() as system, stage.crew("tests.bench.post", 1, dict(os.environ)) as client:
        token, at = system.token(), {}
        placed = 0
        for n in (few, many):
            client.do(requests=n - placed, port=system.system.port, skus=stage.scale.skus, token=token)
            placed = n
            system.come_to_rest()
            at[n] = {name: system.memory(name) / 2**20 for name in ("web", "worker")}
    return {name: Pair([at[many][name]], [at[few][name]]) for name in ("web", "worker")}, (
        f"after {many:,} orders and after {few:,} of one and the same run, over REST"
    )
