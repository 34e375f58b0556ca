"""E-mails in files, the database of the embedded mode and its secret can be read by their owner only."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.mail import EmailMessage, get_connection
from pytest_django import Settings

from config.celery import say_where_e_mails_go
from config.checks import e_mails_reach_somebody
from integration.gateways.mail_files import EmailBackend


def rights(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


@pytest.fixture
def open_umask() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


def test_e_mails_in_files_are_for_their_owner_only(tmp_path: Path, open_umask: object) -> None:
    server = get_connection("integration.gateways.mail_files.EmailBackend", file_path=str(tmp_path / "mail"))
    for _ in range(2):
        EmailMessage("Hello", "Ada", to=["ada@example.com"], connection=server).send()
    server.close()
    files = [*(tmp_path / "mail").iterdir()]
    assert (rights(tmp_path / "mail"), {rights(file) for file in files}) == ("0o700", {"0o600"})
    assert ["Ada" in file.read_text() for file in files] == [True, True]


def test_a_folder_that_exists_keeps_its_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    EmailBackend(file_path=str(tmp_path))
    assert rights(tmp_path) == "0o755"


@pytest.mark.parametrize("exists", [False, True])
def test_database_and_secret_are_for_their_owner_only(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "var"
    if exists:
        folder.mkdir()
        (folder / "waybill.sqlite3").touch(0o644)
        (folder / "waybill.sqlite3").chmod(0o644)
    code = (
        "import os; os.umask(0)\n"
        "import django; django.setup()\n"
        "from django.db import connection\n"
        "connection.cursor().execute('CREATE TABLE t (n int)')\n"
        "import subprocess; print(subprocess.run(['stat', '-c', '%a %n', *[str(p) for p in "
        "__import__('pathlib').Path(os.environ['WAYBILL_VAR']).iterdir()]], capture_output=True, text=True).stdout)"
    )
    names = ("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY", "PAYMENT_PROVIDER")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= {"WAYBILL_VAR": str(folder), "DJANGO_SETTINGS_MODULE": "config.settings"}
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    modes = {Path(line.split()[1]).name: line.split()[0] for line in shown.stdout.split("\n") if line}
    private = {name: mode for name, mode in modes.items() if name.startswith("waybill.sqlite3") or name == "secret-key"}
    assert {"waybill.sqlite3", "waybill.sqlite3-wal", "secret-key"} <= set(private)
    assert set(private.values()) == {"600"}


@pytest.mark.parametrize(
    ("embedded", "backend", "warns"),
    [
        (False, "integration.gateways.mail_files.EmailBackend", True),
        (True, "integration.gateways.mail_files.EmailBackend", False),
        (False, "integration.gateways.smtp.EmailBackend", False),
    ],
)
def test_a_server_without_a_mail_server_says_so_at_start(
    settings: Settings, caplog: pytest.LogCaptureFixture, embedded: bool, backend: str, warns: bool
) -> None:
    settings.EMBEDDED, settings.EMAIL_BACKEND = embedded, backend
    assert [each.id for each in e_mails_reach_somebody(None)] == ["waybill.I012"] * warns
    with caplog.at_level("WARNING", "config.checks"):
        say_where_e_mails_go(sender="worker")
    assert ("no e-mail reaches a buyer" in caplog.text) == warns
