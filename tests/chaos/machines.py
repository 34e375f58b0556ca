"""State machines and mutated messages that Hypothesis tries for much longer than in a usual test run.

Each file runs in a pytest process of its own, as many at a time as there are cores. The longest starts first.
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tests.system.running_system import ROOT

MACHINES = {
    "all three together": "tests/chaos/test_system_machine.py",
    "what becomes of orders": "tests/chaos/test_aftercare_machine.py",
    "mutated messages": "tests/integration/messaging/test_mutated_messages.py",
    "stock": "tests/inventory/test_stock_machine.py",
    "order": "tests/ordering/test_order_machine.py",
    "invoice": "tests/billing/test_invoice_machine.py",
    "carts and vouchers": "tests/ordering/test_cart_machine.py",
    "parcels and returns": "tests/fulfillment/test_goods_machine.py",
}
"""The file of each subject, the one that takes longest first."""


def try_long(folder: Path, short: bool) -> dict[str, Any]:
    """Run all of them; returns the report, with the number of examples that each has tried.

    Args:
        folder: where pytest may write.
        short: whether the number of examples of a usual test run is enough.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(partial(_try, folder, short), MACHINES)
        return dict(zip(MACHINES, found, strict=True))


def _try(folder: Path, short: bool, subject: str) -> dict[str, Any]:
    xml = folder / f"{Path(MACHINES[subject]).stem}.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    command += ["--hypothesis-show-statistics", MACHINES[subject], "--junitxml", str(xml)]
    command += ["-o", "faulthandler_timeout=0"]
    environment = {**os.environ, **({} if short else {"HYPOTHESIS_PROFILE": "chaos"})}
    if "DATABASE_URL" not in os.environ:
        # Django names a test database in a file after the settings; two processes must not share it.
        environment["DATABASE_URL"] = f"sqlite:///{folder}/{xml.stem}.sqlite3"
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)  # with the shortest example that fails
        failed = failed or [f"pytest ended with {done.returncode}"]
    return {
        "what": f"Hypothesis on {subject}.",
        "must hold": "every invariant after every step",
        "n": {"examples": examples(done.stdout, xml)},
        "violations": failed,
    }


def examples(printed: str, xml: Path) -> int:
    """The number of examples: what Hypothesis printed, and what tests that call Hypothesis themselves recorded."""
    counted = re.findall(r"^ *- (\d+) passing, ", printed, re.MULTILINE)
    recorded = re.findall(r'<property name="examples" value="(\d+)"', xml.read_text()) if xml.exists() else []
    return sum(map(int, counted + recorded))
