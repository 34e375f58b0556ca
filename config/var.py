"""The folder of the embedded mode: whatever kills a process, no start finds a file half written."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

SHORTEST_SECRET = 50
"""Characters. A shorter secret is what a killed process left of one."""


def make_folder(folder: Path) -> None:
    """Make a folder, unless it exists; raises `ImproperlyConfigured`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error.strerror) from error


def require_writable(folder: Path, database: Path | None = None) -> None:
    """Make the folder unless it exists, and check that it and the files of the database can be written.

    Args:
        folder: that of the embedded mode.
        database: the SQLite database, if there is one; it may be elsewhere, and may not exist. Nothing is made there.

    Raises:
        ImproperlyConfigured: something cannot be written.
    """
    make_folder(folder)
    needed = [folder]
    if database:
        needed += [database.parent, database, Path(f"{database}-wal"), Path(f"{database}-shm")]
    for path in needed:
        if path.exists() and not os.access(path, os.W_OK):
            raise _cannot_write(path, "no permission, or the disk is mounted read-only")


def secret_key(folder: Path) -> str:
    """The secret of this installation, generated at its first start, and again if only a part of it was written.

    Raises:
        ImproperlyConfigured: it cannot be written.
    """
    path = folder / "secret-key"
    if secret := _read_secret(path):
        return secret
    try:
        with alone(folder / "secret-key.lock"):
            return _read_secret(path) or _write_secret(path)
    except OSError as error:
        raise _cannot_write(path, error.strerror) from error


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait until no other process is in such a block with this file. The lock ends with the process that holds it."""
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read_secret(path: Path) -> str:
    """The secret; empty if the file is missing or torn."""
    try:
        secret = path.read_bytes().strip(b"\0 \r\n").decode("ascii", "replace")
    except FileNotFoundError:
        return ""
    return secret if len(secret) >= SHORTEST_SECRET else ""


def _write_secret(path: Path) -> str:
    secret, whole = secrets.token_urlsafe(SHORTEST_SECRET), path.with_suffix(".new")
    with open(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    whole.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return secret


def _cannot_write(path: Path, reason: str | None) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"{path} cannot be written ({reason}). Make it writable, or name another folder with WAYBILL_VAR."
    )
