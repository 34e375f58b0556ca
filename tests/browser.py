"""Finds the browser for tests: the machine's Chromium or Chrome, or the one that Playwright downloads.

`python -m tests.browser` exits 0 if a browser starts. Otherwise it prints the reason and exits 1. With `--install` it
then downloads Playwright's Chromium, and exits 0 even if that fails, because pytest lists the tests that cannot run.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Error, Playwright, sync_playwright

from tests.system.running_system import PYTHON, Program

PROGRAMS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
ON_A_MAC = [f"/Applications/{name}.app/Contents/MacOS/{name}" for name in ("Google Chrome", "Chromium")]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LONGEST_DOWNLOAD = 300.0
"""Seconds after which the download of a browser is cancelled."""


class NoBrowser(RuntimeError):
    """No browser starts on this machine."""


def launch(playwright: Playwright, *arguments: str) -> Browser:
    """Start the first browser that works, with these arguments and `ARGUMENTS`; raises `NoBrowser`."""
    reasons = []
    for executable in [*on_this_machine(), None]:  # None is Playwright's own
        try:
            return playwright.chromium.launch(executable_path=executable, args=[*ARGUMENTS, *arguments])
        except Error as error:
            reasons.append(f"{executable or 'Playwright'}: {_first_line(error.message)}")
    raise NoBrowser("; ".join(reasons))


def on_this_machine() -> Iterator[str]:
    """Yield the paths of the installed Chromium and Chrome programs."""
    for program in [*PROGRAMS, *ON_A_MAC]:
        if path := shutil.which(program):
            yield path


def why_none() -> str:
    """Return the reason why no browser starts; empty if one does."""
    try:
        with sync_playwright() as playwright:
            launch(playwright).close()
    except NoBrowser as reason:
        return str(reason)
    return ""


def install() -> str:
    """Download Playwright's Chromium into its cache; returns the reason if that fails, else an empty text."""
    command = [*PYTHON, "-m", "playwright", "install", "chromium"]
    with tempfile.TemporaryDirectory() as folder:
        program = Program(command, Path.cwd(), os.environ, Path(folder, "install.log"))
        try:
            exit_code = program.wait(LONGEST_DOWNLOAD)
        except subprocess.TimeoutExpired:
            return f"not done after {LONGEST_DOWNLOAD:g} s"
        finally:
            program.kill()
        return _first_line(program.output, having="Error") if exit_code else ""


def _first_line(text: str, having: str = "") -> str:
    lines = [line.strip(" ║╔╗╚╝═") for line in text.splitlines() if having in line]
    return next(filter(None, lines), text.strip())


def main() -> int:
    """Look for a browser, and download one if `--install` is given; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser", description=__doc__)
    parser.add_argument("--install", action="store_true", help="download Playwright's Chromium if no browser starts")
    options = parser.parse_args()
    reason = why_none()
    if reason and options.install:
        print("No Chromium or Chrome was found. Downloading Playwright's Chromium ...", flush=True)
        failure = install()
        print(f"It cannot be downloaded: {failure}" if failure else why_none() or "Downloaded.")
        return 0
    print(reason, end="\n" if reason else "", file=sys.stderr)
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
