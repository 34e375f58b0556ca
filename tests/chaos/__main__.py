"""`python -m tests.chaos PART` proves one part and prints its report as JSON; `all` proves all, and writes the page.

`matrix` and `bugs` use the database of the settings. `all`, `faults`, `loads` and `outages` start servers of their own,
and end only those; `embedded` needs no server.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import django

from tests.chaos import report
from tests.chaos.processes import adopt_orphans, end_descendants
from tests.chaos.servers import PostgreSQL, Redis
from tests.system.running_system import ROOT


def parse() -> argparse.Namespace:
    """The part to prove, and how much of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("part", choices=sorted(PARTS))
    parser.add_argument("--sample", type=int, help="how many points of the matrix to try; all without it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--processes", "--hands", type=int, default=1, help="how many processes share the points of the matrix"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with an interrupted run of matrix or outages; `all` always does"
    )
    parser.add_argument("--share", type=_share, default=[1, 1], help="plant only this share of the bugs, such as 2/6")
    parser.add_argument("--only", default="", help="try only flows, faults, loads or outages whose name contains this")
    parser.add_argument("--keep", metavar="NAME", help="store the report under this name, for the page")
    parser.add_argument("--short", action="store_true", help="do a tenth of the faults and loads, as in a test run")
    return parser.parse_args()


def _share(text: str) -> list[int]:
    return [int(number) for number in text.split("/")]


def matrix(options: argparse.Namespace) -> dict[str, Any]:
    """Kill every flow at every statement and commit.

    With `--resume` each result is stored in a file until all points are tried. The file is named after the code and the
    kind of database, so that results of other code are never used.
    """
    from django.db import connection

    from tests.chaos.crash_matrix import kill_everywhere

    results = report.unfinished(f"matrix on {connection.vendor}") if options.resume else None
    found = kill_everywhere(options.sample, options.seed, options.only, options.processes, results)
    if results:
        results.unlink(missing_ok=True)
    return found


def bugs(options: argparse.Namespace) -> dict[str, Any]:
    """Plant each bug, and look for the check that catches it."""
    from tests.chaos.planted_bugs import hunt_all

    return hunt_all(*options.share)


def faults(options: argparse.Namespace) -> dict[str, Any]:
    """Inject faults into a system on PostgreSQL and Redis while orders flow."""
    from tests.chaos.faults import FAULTS, SHORT, WHOLE, do_all
    from tests.chaos.live import Live

    live = Live(options.folder, options.postgresql, options.redis, can_be_sabotaged=True)
    options.ends.callback(live.tear_down)
    return do_all(live, SHORT if options.short else WHOLE, FAULTS, options.only)


def embedded(options: argparse.Namespace) -> dict[str, Any]:
    """Inject faults into a system that is one process over SQLite."""
    from tests.chaos.faults import EMBEDDED_FAULTS, SHORT, WHOLE, do_all
    from tests.chaos.live import Live

    live = Live(options.folder)
    options.ends.callback(live.tear_down)
    return do_all(live, SHORT if options.short else WHOLE, EMBEDDED_FAULTS, options.only)


def loads(options: argparse.Namespace) -> dict[str, Any]:
    """Send many requests at once."""
    from tests.chaos.faults import SHORT, WHOLE, do_all
    from tests.chaos.live import Live
    from tests.chaos.loads import LOADS

    live = Live(options.folder, options.postgresql, options.redis)
    options.ends.callback(live.tear_down)
    return do_all(live, SHORT if options.short else WHOLE, LOADS, options.only)


def outages(options: argparse.Namespace) -> dict[str, Any]:
    """Make the peers of a running shop ill, one way after another; `--resume` skips rows that have a result."""
    from tests.chaos.outages.runner import SHORT, WHOLE, Runner, all_places, draw

    words = options.only.split(",")
    places = [place for place in all_places() if any(word in place.key for word in words)]
    places = draw(places, options.seed) if options.short else places
    results = report.unfinished("outages") if options.resume else None
    scale = SHORT if options.short else WHOLE
    options.folder.mkdir()
    found = Runner(options.folder, options.postgresql, options.redis, options.ends, scale, results).run(places)
    if results:
        results.unlink(missing_ok=True)
    return found


def simulations(options: argparse.Namespace) -> dict[str, Any]:
    """Run `manage.py simulate` with one seed after another."""
    found, orders = {}, 20 if options.short else 100
    for seed in range(options.seed, options.seed + (2 if options.short else 30)):
        command = [sys.executable, "manage.py", "simulate", "--seed", str(seed), "--orders", str(orders), "--json"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        found[seed] = json.loads(done.stdout)
    wrong = [f"seed {seed}: {what}" for seed, one in found.items() for what in one["offenders"]]
    n = {"seeds": len(found), "orders each": orders, "histories": len({one["history"] for one in found.values()})}
    holds = {"what": "A shop, simulated from a seed with a virtual clock.", "must hold": "no invariant is broken"}
    return {"simulations": {**holds, "n": n, "violations": wrong}}


def machines(options: argparse.Namespace) -> dict[str, Any]:
    """Let Hypothesis try state machines and mutated messages for a long time."""
    from tests.chaos.machines import try_long

    options.folder.mkdir(exist_ok=True)
    return try_long(options.folder, options.short)


def everything(options: argparse.Namespace) -> dict[str, Any]:
    """Prove every part, each in a process of its own, and write the page.

    A run that was interrupted goes on where it stopped: parts that held are not run again, as long as the code is the
    same. A run that came to its end starts with nothing the next time.
    """
    # Only clients of this server are killed, so it needs no fsync.
    server = PostgreSQL(options.folder / "pg", durable=False)
    server.start()
    options.ends.callback(server.kill)
    on_sqlite = {"DATABASE_URL": f"sqlite:///{options.folder}/crash.sqlite3"}
    on_postgresql = {"DATABASE_URL": server.url("waybill_crash")}
    # These parts measure no times, so they share the machine. The live parts run one after another.
    progress = report.unfinished("short run" if options.short else "run")
    held = set(progress.read_text().splitlines()) if progress.exists() else set()
    untimed = {
        "matrix on SQLite": (on_sqlite, "--resume"),
        "matrix on PostgreSQL": (on_postgresql, "--resume"),
        "simulations": ({},),
        "machines": ({},),
    }
    bugs_on = {"DATABASE_URL": server.url("waybill_crash_bugs")}
    live = {"bugs": (bugs_on,), "faults": ({},), "embedded": ({},), "loads": ({},), "outages": ({}, "--resume")}
    failed = []

    def note(name: str, process: "subprocess.Popen[bytes]") -> None:
        if process.wait():
            failed.append(name)
        else:
            with progress.open("a") as file:
                file.write(f"{name}\n")

    started = {name: start(name, options, *how) for name, how in untimed.items() if name not in held}
    with ThreadPoolExecutor() as pool:
        list(pool.map(note, started, started.values()))
    for name, how in live.items():
        if name not in held:
            note(name, start(name, options, *how))
    progress.unlink(missing_ok=True)
    report.write_page()
    return {"violations": [f"{name} does not hold" for name in failed], "parts of an earlier run": sorted(held)}


def start(name: str, options: argparse.Namespace, own: dict[str, str], *more: str) -> "subprocess.Popen[bytes]":
    """Start the process that proves a part.

    Args:
        name: the part's name, and more after a space; its report is stored under it.
        own: environment variables of this process.
        more: more command line options.
    """
    common = {"WAYBILL_VAR": str(options.folder / "var"), "EMAIL_URL": "dummymail://"}
    command = [sys.executable, "-m", "tests.chaos", name.partition(" ")[0], "--keep", name, *more]
    command += ["--short", "--sample", "100"] if options.short else []
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **common, **own}, stdout=sys.stderr)


PARTS = {
    "all": everything,
    "matrix": matrix,
    "bugs": bugs,
    "faults": faults,
    "embedded": embedded,
    "loads": loads,
    "outages": outages,
    "simulations": simulations,
    "machines": machines,
}
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""The signals that end a run: of a process manager, of Ctrl-C, and of a terminal that is closed."""
LIVE = {"faults", "loads", "outages"}


def prepare(options: argparse.Namespace) -> None:
    """Set the environment before Django reads it, and start the servers that a live part needs."""
    options.folder = options.place
    options.folder.chmod(0o755)  # PostgreSQL runs as another user
    own = {"EMAIL_URL": "dummymail://", "LOG_LEVEL": "CRITICAL", "WAYBILL_VAR": str(options.folder / "var")}
    if options.part in LIVE:
        ill = options.part == "outages"  # only clients of its servers are killed, so it needs no fsync
        options.postgresql = PostgreSQL(options.folder / "pg", durable=not ill)
        options.redis = Redis(options.folder / "redis", debug=ill)
        for server in (options.postgresql, options.redis):
            server.start()
            options.ends.callback(server.kill)
        options.postgresql.ask("CREATE DATABASE waybill_live")
        own |= {
            "DATABASE_URL": options.postgresql.url("waybill_live"),
            "CELERY_BROKER_URL": options.redis.url,
            "QUEUE_PREFIX": "live",
            "READS_PER_MINUTE": "1000000",
            "WRITES_PER_MINUTE": "1000000",
            "SECRET_KEY": "not a secret, only a signing key for tests: 0123456789",
            "PAYMENT_PROVIDER": "sandbox",
            "CARRIERS": "sandbox",
        }
    elif options.part == "embedded":
        mount_a_small_disk(options.folder)
        own |= {"DATABASE_URL": f"sqlite:///{options.folder}/live.sqlite3", "CELERY_BROKER_URL": "memory://"}
    os.environ.update(own if options.part in {*LIVE, "embedded"} else {"LOG_LEVEL": "CRITICAL"})
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    options.folder = options.folder / "running_system"
    if options.part != "all":
        django.setup()


def mount_a_small_disk(folder: Path) -> None:
    """Mount a small disk, which can be filled without harm; only root can. `full_disk` reports when there is none."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "waybill-chaos", str(folder)], check=False)


def unmount_all(folder: Path) -> None:
    """Unmount what is mounted in a folder, such as a small disk."""
    mounts = Path("/proc/mounts")
    for line in mounts.read_text().splitlines() if mounts.exists() else []:
        if (path := line.split()[1]).startswith(str(folder)):
            subprocess.run(["umount", "--lazy", path], check=False)


def end_on_signals(folder: Path) -> None:
    """Let a signal end this process at once, after it has ended all that it has started.

    The handler does not unwind the stack: buyers would repeat their requests, and pools would start more processes.
    """
    owner = os.getpid()

    def end(number: int, frame: object) -> None:
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        if os.getpid() != owner:  # a fork, which shares what was started with its parent
            os._exit(128 + number)
        end_descendants()
        unmount_all(folder)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(128 + number)

    for each in ENDING:
        if signal.getsignal(each) != signal.SIG_IGN:  # `nohup` for example ignores SIGHUP
            signal.signal(each, end)


def main() -> int:
    """Prove a part, and print its report; returns the exit code, which is 1 when something did not hold."""
    options = parse()
    options.place = Path(tempfile.mkdtemp(prefix="waybill-chaos-"))
    os.environ["TMPDIR"] = str(options.place)  # processes that are killed leave files behind
    adopt_orphans()
    end_on_signals(options.place)
    began = time.monotonic()
    with ExitStack() as options.ends:
        options.ends.callback(unmount_all, options.place)
        options.ends.callback(end_descendants)
        prepare(options)
        found = PARTS[options.part](options)
    parts = [(name, part) for name, part in found.items() if isinstance(part, dict)]
    found.setdefault("violations", [f"{name}: {what}" for name, part in parts for what in part.get("violations", [])])
    found["seconds"] = round(time.monotonic() - began)
    print(json.dumps(found, indent=2))
    if options.keep:
        report.keep(options.keep, found)
    if not found["violations"]:
        shutil.rmtree(options.place, ignore_errors=True)
    return 1 if found["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
