"""Measures django-oscar in a virtual environment of its own, which `make bench-peers` creates.

django-oscar does not run with our package versions. Installing it needs a package index; without one, row j is not
measured and the program says so.
"""

import os
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bench.order_flow import flow, open_shop
from tests.bench.pairing import Measurement, in_turn
from tests.bench.processes import ProcessGroup
from tests.bench.stage import Stage
from tests.system.running_system import ROOT

OSCAR = "4.2.1"
REQUIREMENTS = (
    f"django-oscar=={OSCAR}",
    "django==5.2.19",
    "psycopg[binary]==3.3.9",
    "django-environ==0.14.0",
    "redis==8.1.0",
)
HOME = Path(os.environ.get("WAYBILL_PEERS", ROOT / "var" / "bench" / "peers"))
PROGRAM = "tests.bench.baselines.oscar"


class PeerNotInstalled(RuntimeError):
    """The environment of a peer could not be created."""


def environment() -> str:
    """Create an environment with django-oscar unless it exists; returns its interpreter.

    Raises `PeerNotInstalled`.
    """
    python = HOME / "bin" / "python"
    if not _has_oscar(python):
        venv.create(HOME, with_pip=False, clear=True)
        # Our own pip installs into the other environment, which has none.
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
        install = [*pip, "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = "\n".join(done.stderr.strip().splitlines()[-3:])
            raise PeerNotInstalled(f"django-oscar {OSCAR} cannot be installed, so row j is not measured:\n{reason}")
    return str(python)


def _has_oscar(python: Path) -> bool:
    look = f"import sys, importlib.metadata as m; sys.exit(m.version('django-oscar') != '{OSCAR}')"
    return python.exists() and subprocess.run([python, "-c", look], capture_output=True, check=False).returncode == 0


@contextmanager
def _oscar(stage: Stage, python: str) -> Iterator[ProcessGroup]:
    """Start processes that place orders with django-oscar, in a separate database on the same server."""
    stage.postgresql.ask("CREATE DATABASE oscar")
    own = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")},
        "DATABASE_URL": stage.postgresql.url("oscar"),
    }
    folder = stage.folder / "oscar"
    with ProcessGroup(PROGRAM, 1, own, folder, python) as one:
        one.do(what="set_up", skus=stage.scale.skus)
    with ProcessGroup(PROGRAM, stage.scale.placers, own, folder, python) as group:
        yield group


def oscar(stage: Stage) -> Measurement:
    """Row j: compare the whole flow with django-oscar's `place_order`."""
    scale = stage.scale
    python, each = environment(), scale.peer_orders // scale.placers
    with (
        open_shop(stage) as (system, placers),
        _oscar(stage, python) as shop,
    ):

        def baseline() -> Mapping[str, float]:
            shop.do(what="fill", orders=each)
            with system.paused():
                return {"": each * scale.placers / shop.time(what="place")}

        pairs = in_turn(lambda: {"": flow(system, placers, scale.orders)}, baseline, scale.rounds)
    return pairs, f"{scale.orders:,} orders, {scale.peer_orders:,} by django-oscar {OSCAR}"


if __name__ == "__main__":
    try:
        print(environment())
    except PeerNotInstalled as missing:
        sys.exit(str(missing))
