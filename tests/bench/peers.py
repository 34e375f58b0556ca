"""django-oscar, in an environment of its own, for it does not live on our versions: `make bench-peers` makes it.

Whether it can be had depends on a package index that can be reached; without one the row is not measured, and says so.
"""

import os
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bench.crew import Crew
from tests.bench.orders_through import flow, open_shop
from tests.bench.pairing import Measurement, in_turn
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


class PeerNotToBeHad(RuntimeError):
    """The environment of a peer could not be made."""


def environment() -> str:
    """The interpreter of an environment with django-oscar in it, made unless it is there; raises `PeerNotToBeHad`."""
    python = HOME / "bin" / "python"
    if not _has_oscar(python):
        venv.create(HOME, with_pip=False, clear=True)
        pip = [sys.executable, "-m", "pip", "--python", str(python)]  # ours: it need not be installed there first
        install = [*pip, "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = "\n".join(done.stderr.strip().splitlines()[-3:])
            raise PeerNotToBeHad(f"django-oscar {OSCAR} cannot be installed, so row j is not measured:\n{reason}")
    return str(python)


def _has_oscar(python: Path) -> bool:
    look = f"import sys, importlib.metadata as m; sys.exit(m.version('django-oscar') != '{OSCAR}')"
    return python.exists() and subprocess.run([python, "-c", look], capture_output=True, check=False).returncode == 0


@contextmanager
def _oscar(stage: Stage, python: str) -> Iterator[Crew]:
    """Processes that place orders in a django-oscar shop on a database of its own, on the same server."""
    stage.postgresql.ask("CREATE DATABASE oscar")
    own = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")},
        "DATABASE_URL": stage.postgresql.url("oscar"),
    }
    folder = stage.folder / "oscar"
    with Crew(PROGRAM, 1, own, folder, python) as one:
        one.do(what="furnish", skus=stage.scale.skus)
    with Crew(PROGRAM, stage.scale.hands, own, folder, python) as crew:
        yield crew


def oscar(stage: Stage) -> Measurement:
    """Row j: the whole flow beside what django-oscar does of it."""
    scale = stage.scale
    python, each = environment(), scale.peer_orders // scale.hands
    with (
        open_shop(stage) as (system, placers),
        _oscar(stage, python) as shop,
    ):

        def baseline() -> Mapping[str, float]:
            shop.do(what="fill", orders=each)
            with system.frozen():
                return {"": each * scale.hands / shop.time(what="place")}

        pairs = in_turn(lambda: {"": flow(system, placers, scale.orders)}, baseline, scale.rounds)
    return pairs, f"{scale.orders:,} orders, {scale.peer_orders:,} by django-oscar {OSCAR}"


if __name__ == "__main__":
    try:
        print(environment())
    except PeerNotToBeHad as missing:
        sys.exit(str(missing))
