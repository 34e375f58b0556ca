"""`python -m tests.chaos matrix` or `bugs`, on the database of the settings; prints a report as JSON."""

import argparse
import json
import os
import sys
import time

import django

os.environ.setdefault("LOG_LEVEL", "CRITICAL")
django.setup()

from tests.chaos.crash_matrix import kill_everywhere  # noqa: E402 - models are there only after setup
from tests.chaos.planted_bugs import hunt_all  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("what", choices=["matrix", "bugs"])
parser.add_argument("--sample", type=int, help="try so many points of the matrix instead of all of them")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--only", default="", help="flows whose name has this in it")
options = parser.parse_args()

began = time.monotonic()
report = hunt_all() if options.what == "bugs" else kill_everywhere(options.sample, options.seed, options.only)
print(json.dumps({**report, "seconds": round(time.monotonic() - began)}, indent=2))
sys.exit(1 if report["violations"] else 0)
