"""Measures requests over HTTP (row c), and the memory of the web and worker processes (row k)."""

import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack

from tests.bench.order_flow import set_up_plain
from tests.bench.pairing import Measurement, Pair, in_turn
from tests.bench.stage import Stage
from tests.system.running_system import PYTHON, Program, eventually, free_port


def requests(stage: Stage) -> Measurement:
    """Row c: compare requests per second with those of a bare view."""
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
        set_up_plain(stage)
        system = ends.enter_context(stage.system())
        client = ends.enter_context(stage.start_processes("tests.bench.post", 1, dict(os.environ)))
        bare = Program([*gunicorn, *serving], stage.folder, stage.plain(), stage.folder / "bare.log")
        ends.callback(bare.kill)
        token = system.token()
        eventually(lambda: _listens(port), bool, f"a bare view:\n{bare.output}")

        def ours() -> Mapping[str, float]:
            with system.paused("worker", "beat"):
                rate = n / client.time(requests=n, port=system.system.port, skus=stage.scale.skus, token=token)
            system.wait_until_idle()
            return {"": rate}

        def baseline() -> Mapping[str, float]:
            with system.paused():
                return {"": n / client.time(requests=n, port=port, skus=stage.scale.skus)}

        pairs = in_turn(ours, baseline, stage.scale.rounds)
    return pairs, f"{n:,} requests by 8 clients"


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def memory(stage: Stage) -> Measurement:
    """Row k: compare memory after many orders with memory after a few."""
    few, many = stage.scale.memory
    with stage.system() as system, stage.start_processes("tests.bench.post", 1, dict(os.environ)) as client:
        token, at = system.token(), {}
        placed = 0
        for n in (few, many):
            client.do(requests=n - placed, port=system.system.port, skus=stage.scale.skus, token=token)
            placed = n
            system.wait_until_idle()
            at[n] = {name: system.memory(name) / 2**20 for name in ("web", "worker")}
    return {name: Pair([at[many][name]], [at[few][name]]) for name in ("web", "worker")}, (
        f"after {many:,} and after {few:,} orders of the same run, over REST"
    )
