"""The folder of the embedded mode: its secret is whole whatever kills a process, or one sentence says what is wrong."""

import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import var
from config.var import SHORTEST_SECRET, require_writable, secret_key
from tests.system.running_system import MANAGE, ROOT

STEPS = ("mkdir", "open", "write", "fsync", "replace", "close")
"""The functions of `os` that a first start calls. A file that Python opens has no such steps of its own."""


def die_at(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that dies, without unwinding, before so many calls of the system; True if it died."""
    pid = os.fork()
    if not pid:
        left = step

        def counted(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(9)
                return function(*args, **kwargs)

            return call

        for name in STEPS:
            setattr(os, name, counted(getattr(os, name)))
        with suppress(BaseException):
            work()
            os._exit(0)
        os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 9)
    return code == 9


@pytest.mark.parametrize("before", [None, b"", b"torn"])
def test_killed_at_any_point_the_next_start_has_a_secret(tmp_path: Path, before: bytes | None) -> None:
    killed = 0
    while True:
        folder = tmp_path / str(killed)
        folder.mkdir()
        if before is not None:
            (folder / "secret-key").write_bytes(before)
        died = die_at(killed, lambda folder=folder: secret_key(folder))  # type: ignore[misc]
        secret = secret_key(folder)
        assert len(secret) >= SHORTEST_SECRET
        assert secret_key(folder) == secret
        if not died:
            break
        killed += 1
    assert killed >= 5, "the harness kills too rarely"


@pytest.mark.parametrize("torn", [b"", b"\n", b"abc", b"\0" * 67, b"\xff" * 20, b"x" * (SHORTEST_SECRET - 1)])
def test_a_torn_secret_is_made_again(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "secret-key"
    path.write_bytes(torn)
    secret = secret_key(tmp_path)
    assert path.read_text() == secret
    assert len(secret) >= SHORTEST_SECRET
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_secret_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "secret-key"
    path.write_text("s" * SHORTEST_SECRET + "\n")
    assert secret_key(tmp_path) == "s" * SHORTEST_SECRET


@pytest.mark.parametrize("before", [None, b""])
def test_processes_that_start_at_once_have_one_secret(tmp_path: Path, before: bytes | None) -> None:
    if before is not None:
        (tmp_path / "secret-key").write_bytes(before)
    with get_context("fork").Pool(8) as pool:
        assert len(set(pool.map(secret_key, [tmp_path] * 64, chunksize=1))) == 1


def start(command: list[str], **environment: str) -> tuple[int, list[str]]:
    """Run a command of the embedded mode, without root's right to write everywhere.

    Returns:
        The exit code, and the lines of the output.
    """
    modest = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    unset = {"DATABASE_URL", "CELERY_BROKER_URL", "CELERY_WORKER_POOL", "SECRET_KEY"}
    own = {**{name: value for name, value in os.environ.items() if name not in unset}, **environment}
    done = subprocess.run(
        [*modest, *MANAGE, *command],
        cwd="/",
        env={**own, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize("command", [["migrate"], ["demo_shop"], ["serve", "--port", "1"], ["verify"]])
def test_a_folder_that_cannot_be_written_ends_with_one_sentence(tmp_path: Path, command: list[str]) -> None:
    folder = tmp_path / "var"
    folder.mkdir(0o555)
    code, lines = start(command, WAYBILL_VAR=str(folder))
    assert code == 1
    assert len(lines) == 1, lines
    assert str(folder) in lines[0]
    assert "cannot be written" in lines[0]


def test_files_that_cannot_be_written_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "waybill.sqlite3"
    for name in ("waybill.sqlite3", "waybill.sqlite3-wal", "waybill.sqlite3-shm"):
        (tmp_path / name).touch()
        monkeypatch.setattr(var.os, "access", lambda path, mode, name=name: Path(path).name != name)
        with pytest.raises(ImproperlyConfigured, match=f"{name} cannot be written"):
            require_writable(tmp_path, database)
    monkeypatch.setattr(var.os, "access", lambda path, mode: True)
    require_writable(tmp_path, database)


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "var").touch()
    with pytest.raises(ImproperlyConfigured, match="cannot be written"):
        require_writable(tmp_path / "var")


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(var.os, "fsync", full)
    with pytest.raises(ImproperlyConfigured, match="No space left on device"):
        secret_key(tmp_path)
