"""The lines that a change adds or alters."""

import re
import subprocess
from collections import defaultdict
from pathlib import Path

from tests.mutants.sample import PACKAGES
from tests.quick import CannotCompare, changed_files

COMMITS = 20
"""On main itself the change is what so many last commits did to the packages, because one commit has too few lines."""

FILE = re.compile(r"\+\+\+ b/(.+)")
HUNK = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@")


def changed_lines(root: Path) -> tuple[dict[str, set[int]], str]:
    """Find the lines that differ from the commit where this branch left main, by file.

    If nothing differs, as on main, it compares with the state before the last `COMMITS` commits that touched the
    packages. Returns the lines, and the name of the commit. Raises `CannotCompare` without git or without that commit.
    """
    changed, commit = changed_files(root)
    if not any(path.startswith(PACKAGES) for path in changed):
        touching = _git(root, "rev-list", f"--max-count={COMMITS}", "HEAD", "--", *PACKAGES).split()
        commit = _git(root, "rev-parse", "--short", f"{touching[-1]}^").strip()
    lines: dict[str, set[int]] = defaultdict(set)
    for line in _git(root, "diff", "--unified=0", "--no-renames", "--relative", commit, "--", *PACKAGES).splitlines():
        if file := FILE.match(line):
            path = file[1]
        elif hunk := HUNK.match(line):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            lines[path] |= set(range(first, first + count))
    for path in _git(root, "ls-files", "--others", "--exclude-standard", "--", *PACKAGES).splitlines():
        lines[path] = set(range(1, 1 + len((root / path).read_text(encoding="utf-8").splitlines())))
    return dict(lines), commit


def _git(root: Path, *arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout
    except subprocess.CalledProcessError as error:
        raise CannotCompare(f"git {' '.join(arguments)}: {error.stderr.strip()}") from error
