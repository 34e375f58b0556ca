"""Creates databases with the code of an older commit. `test_upgrades.py` upgrades them with the current code.

    python -m tests.upgrades.make --commit c4a1a4a

The command checks the commit out into a temporary folder and runs its processes there over new databases: SQLite in the
embedded mode, and PostgreSQL with web, beat and a Celery worker for each context on Redis. Eight clients place orders
at once, workers are stopped and killed, and the payment provider fails (`life.py`). The database must then contain
every state of an order, a payment and a delivery (`states.py`). Otherwise no file is written.

Code with carts and returns has more chapters and states (`later_life.py`), and code from before read models fewer
(`early_life.py`). `--then COMMIT` migrates its database
with the code of a later commit, as somebody did who upgraded step by step:

    python -m tests.upgrades.make --commit 5876f7d
    python -m tests.upgrades.make --commit 5876f7d --then c4a1a4a --only postgresql

The files are committed in this folder, at most 1 MB each. The test finds them by their names.

Add the databases of a newer commit when its tables or events differ from those of the last commit here:

1. Extend `life.py` with the features of the commit, and `states.py` with their states. `life.py` runs code in the
   commit's own checkout, so its strings name the modules of that commit.
2. Run the command above with the commit, and commit the two new files.

For a longer test, create larger databases in another folder, and point the test to it:

    python -m tests.upgrades.make --commit c4a1a4a --orders 2000 --to FOLDER
    UPGRADES=FOLDER python -m pytest -n 0 tests/upgrades
"""

import argparse
import lzma
import os
import site
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from tests.system.running_system import ROOT
from tests.upgrades import early_life, later_life
from tests.upgrades.early_life import EarlyLife
from tests.upgrades.files import FOLDER, path_of, save_postgresql, save_sqlite
from tests.upgrades.later_life import LaterLife
from tests.upgrades.life import Life
from tests.upgrades.old_code import Embedded, Installation, Server, check_out
from tests.upgrades.states import LIVE_READ_MODELS, counted

CATCH_UP = "from integration.read_models.follow import follow_all; follow_all()"
"""Lets the read models of the code of `--then` catch up, as its workers do."""
LARGEST = 1_000_000
WITH_PATHS = {"integration_delivery": ("error", "traceback"), "integration_archivedmessage": ("deliveries",)}
"""The columns that hold tracebacks, and with them paths of this machine."""


def main() -> None:
    """Create the databases that the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.upgrades.make", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--commit", required=True, help="the commit whose code creates the databases")
    parser.add_argument("--then", metavar="COMMIT", help="the commit whose code then migrates the databases")
    parser.add_argument("--orders", type=int, default=200, metavar="N", help="the number of orders (default: 200)")
    parser.add_argument(
        "--to", type=Path, default=FOLDER, metavar="FOLDER", help="the folder for the files (default: here)"
    )
    parser.add_argument("--only", choices=["sqlite", "postgresql"], help="create only this database")
    parser.add_argument(
        "--server",
        default=os.environ.get("DATABASE_URL", "postgres://postgres@127.0.0.1:5432/waybill").rpartition("/")[0],
        metavar="URL",
        help="a PostgreSQL server, without a database (default: that of DATABASE_URL, or the local one)",
    )
    parser.add_argument("--prefix", default="test_upgrades", help="the prefix of the temporary database's name")
    parser.add_argument(
        "--broker",
        default=os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/9"),
        metavar="URL",
        help="a Redis server (default: that of CELERY_BROKER_URL, or the local one)",
    )
    arguments = parser.parse_args()
    if arguments.orders < 100:
        parser.error("--orders must be 100 or more: below that some states have no order.")
    arguments.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="waybill-upgrades-") as folder:
        code = check_out(arguments.commit, Path(folder, "code"))
        then = check_out(arguments.then, Path(folder, "then")) if arguments.then else None
        name = f"{arguments.commit}-{arguments.then}" if then else arguments.commit
        if arguments.only != "postgresql":
            make(Embedded(code, Path(folder, "embedded")), arguments.orders, then, arguments.to, name)
        if arguments.only != "sqlite":
            url = f"{arguments.server}/{arguments.prefix}_{uuid4().hex[:8]}"
            with removed(Server(code, Path(folder, "server"), url, arguments.broker)) as server:
                make(server, arguments.orders, then, arguments.to, name)


@contextmanager
def removed(server: Server) -> Iterator[Server]:
    """Kill the server's processes and drop its database at the end."""
    try:
        yield server
    finally:
        server.kill()
        server.remove()


def make(shop: Installation, orders: int, then: Path | None, folder: Path, name: str) -> None:
    """Run the shop of `life.py`, and write its database into a file.

    Args:
        shop: the installation of the old code.
        orders: the number of orders.
        then: the folder of the code that migrates the database afterwards.
        folder: where to write the file.
        name: how the file's name begins.

    Raises:
        SystemExit: a state is missing, the file is too large to commit, or it contains paths of this machine.
    """
    began = time.monotonic()
    try:
        life_of(shop)(shop, orders).live()
    finally:
        shop.kill()
    seen = states_of(shop)
    for state, count in seen.items():
        print(f"{count:7,} {state}")
    if missing := [state for state, count in seen.items() if not count]:
        raise SystemExit(f"The database has no {', no '.join(missing)}. Run the command again.")
    target = path_of(folder, name, shop.vendor, orders)
    forget_paths(shop)
    if then:
        shop.deploy(then)
        shop.manage("migrate", "--verbosity", "0")
        shop.run(CATCH_UP)
    if isinstance(shop, Embedded):
        save_sqlite(shop.database, target)
    elif isinstance(shop, Server):
        save_postgresql(shop.url, target)
    if named := [
        path for path in paths_of_this_machine() if f"{path}/".encode() in lzma.decompress(target.read_bytes())
    ]:
        target.unlink()
        raise SystemExit(f"{target.name} would contain paths of this machine: {', '.join(named)}.")
    size = target.stat().st_size
    if size > LARGEST and folder == FOLDER:
        target.unlink()
        raise SystemExit(f"{target.name} would have {size:,} bytes; at most {LARGEST:,} may be committed.")
    print(f"{target.name}: {size:,} bytes, in {time.monotonic() - began:.0f} s")


def life_of(shop: Installation) -> type[Life]:
    """Return the life that the old code can live."""
    if has_carts(shop):
        return LaterLife
    return Life if has_read_models(shop) else EarlyLife


def states_of(shop: Installation) -> dict[str, int]:
    """Count the rows in each state that the old code knows."""
    if not has_read_models(shop):
        return early_life.counted(shop.count, shop.vendor)
    seen = counted(shop.count)
    if has_carts(shop):
        del seen[LIVE_READ_MODELS]
        seen |= later_life.counted(shop.count)
    return seen


def has_carts(shop: Installation) -> bool:
    """Return whether the old code has carts, vouchers, several parcels and returns."""
    return (shop.code / "ordering" / "models" / "cart.py").exists()


def has_read_models(shop: Installation) -> bool:
    """Return whether the old code has read models, whose rows are made from numbered histories."""
    return (shop.code / "integration" / "read_models").exists()


def paths_of_this_machine() -> list[str]:
    """Return the folders of this machine that tracebacks may contain."""
    return [str(ROOT), str(Path.home()), sys.prefix, tempfile.gettempdir()]


def forget_paths(shop: Installation) -> None:
    """Replace this machine's paths in the tracebacks of failed deliveries."""
    packages = [path for path in sys.path if path.endswith("-packages")] + site.getsitepackages()
    paths = {
        str(shop.code): "/srv/waybill",
        **dict.fromkeys(packages, "/srv/packages"),
        str(Path(os.__file__).parent): "/usr/lib/python3",
    }
    for table, columns in WITH_PATHS.items():
        for column in columns:
            kind = "jsonb" if column == "deliveries" and shop.vendor == "postgresql" else "text"
            for path, neutral in paths.items():
                shop.write(
                    f"UPDATE {table} SET {column} = CAST(replace(CAST({column} AS text), {{}}, {{}}) AS {kind})"  # noqa: S608
                    f" WHERE CAST({column} AS text) LIKE {{}}",
                    path,
                    neutral,
                    f"%{path}%",
                )


if __name__ == "__main__":
    main()
