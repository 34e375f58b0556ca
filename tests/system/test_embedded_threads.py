"""The one process of the embedded mode goes on although the threads of its worker and of beat are killed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from running_system import ROOT, System, eventually

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not settings.EMBEDDED, reason="worker and beat are processes"),
]

KILLER = """
import ctypes, os, pathlib, threading, time

kill = ctypes.pythonapi.PyThreadState_SetAsyncExc

def kill_on_request():
    while True:
        for name in ("worker", "beat"):
            request = pathlib.Path(__file__).with_name(name)
            for thread in threading.enumerate():
                if thread.name == name and request.exists():
                    request.unlink()
                    kill(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        time.sleep(0.05)

os.register_at_fork(after_in_child=lambda: threading.Thread(target=kill_on_request, daemon=True).start())
"""
"""Kills the thread that a file is named after, in the process of gunicorn that serves the web."""


def test_orders_go_on_after_the_worker_and_beat_are_killed(
    system_to_break: Callable[..., System], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(KILLER)
    system = system_to_break(PYTHONPATH=f"{tmp_path}:{ROOT}")
    buyer = system.visitor.log_in("buyer", "buyer")

    for name in ("worker", "beat", "worker"):
        said = f"the embedded {name} has ended, and is started again"
        before = system.output["serve"].count(said)
        (tmp_path / name).touch()
        number = buyer.place({"MUG-ENAMEL-CREAM": 1})
        eventually(lambda: system.output["serve"].count(said), lambda n: n == before + 1, said)  # noqa: B023
        buyer.order_once(number, "confirmed")
