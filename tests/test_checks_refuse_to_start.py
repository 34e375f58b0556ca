"""A configuration that cannot work refuses to start, and the message says what to set instead."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import NAMES

ROOT = Path(__file__).resolve().parents[1]
MANAGE = [sys.executable, str(ROOT / "manage.py")]
CELERY = [sys.executable, "-m", "celery", "-A", "config"]
GUNICORN = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", "127.0.0.1:0"]
SERVER = {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}
SETTINGS = ROOT / "config" / "settings.py"
STRONG = "Zk3v_not-a-secret-only-for-tests-9wQx7LmTf2RbYc8HsNd4"
CALL_BACKS = "Pq8r-also-for-tests-only-5JhVgTz1Mn6Xw"


def start(command: list[str], folder: Path, **changes: str | None) -> tuple[int, str]:
    """Run a program in embedded mode with these changes to its environment; returns its exit code and output.

    A variable that is changed to None is not set. A program that does not end within a minute fails the test.
    """
    environment: dict[str, str | None] = {
        **{name: value for name, value in os.environ.items() if name not in NAMES},
        "CELERY_BROKER_URL": "memory://",
        "CELERY_WORKER_POOL": "threads",
        "DATABASE_URL": f"sqlite:///{folder / 'waybill.sqlite3'}",
        "PAYMENT_PROVIDER": "sandbox",
        "PYTHONPATH": str(ROOT),
        "SECRET_KEY": "",
        "WAYBILL_VAR": str(folder),
        "WEB_CONCURRENCY": "1",
        **changes,
    }
    given = {name: value for name, value in environment.items() if value is not None}
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_the_default_embedded_mode_passes_all_checks(tmp_path: Path) -> None:
    code, output = start([*MANAGE, "check", "--fail-level", "INFO"], tmp_path)
    assert code == 0, output


@pytest.mark.parametrize("command", [["check"], ["serve", "--port", "0"]], ids=["check", "serve"])
@pytest.mark.parametrize(
    ("changes", "check", "advice"),
    [
        ({"WEB_CONCURRENCY": "2"}, "waybill.E002", "Set WEB_CONCURRENCY=1, or CELERY_BROKER_URL to a Redis."),
        ({"CELERY_WORKER_POOL": "prefork"}, "waybill.E003", "Set CELERY_WORKER_POOL=threads, or CELERY_BROKER_URL"),
    ],
    ids=["two web processes", "a prefork worker"],
)
def test_processes_that_cannot_share_a_broker_are_refused(
    tmp_path: Path, command: list[str], changes: dict[str, str], check: str, advice: str
) -> None:
    code, output = start([*MANAGE, *command], tmp_path, **changes)
    assert code != 0
    assert check in output
    assert advice in output
    assert "is being served" not in output


@pytest.mark.parametrize("command", ["worker", "worker -P prefork", "worker -P threads", "worker -B", "beat"])
def test_separate_workers_and_beat_are_refused_on_the_in_memory_broker(tmp_path: Path, command: str) -> None:
    code, output = start([*CELERY, *command.split()], tmp_path)
    assert code == 1, output
    assert "memory:// reaches no other process" in output
    assert "set CELERY_BROKER_URL" in output
    assert "Traceback" not in output


def settings_of(folder: Path, settings: Path = SETTINGS, **changes: str | None) -> dict[str, Any]:
    """The settings of a server with these changes to its environment."""
    server = {**SERVER, "SECRET_KEY": STRONG, "ALLOWED_HOSTS": "shop.example.com", "PAYMENT_PROVIDER": "sandbox"}
    given = {"WAYBILL_VAR": str(folder), **server, **changes}
    with patch.dict(os.environ, {name: value for name, value in given.items() if value is not None}, clear=True):
        return runpy.run_path(str(settings))


def refusal_of(folder: Path, **changes: Any) -> str:
    """Why a server with these changes does not start."""
    with pytest.raises(ImproperlyConfigured) as refused:
        settings_of(folder, **changes)
    return str(refused.value)


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY must be set"),
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set"),
        ({"SECRET_KEY": "   "}, "SECRET_KEY must be set"),
        ({"DATABASE_URL": None}, "set DATABASE_URL"),
        ({"DATABASE_URL": ""}, "DATABASE_URL is empty"),
        ({"DATABASE_URL": "sqlite:///waybill.sqlite3"}, "set DATABASE_URL"),
        ({"PAYMENT_PROVIDER": None}, "PAYMENT_PROVIDER must name"),
        ({"PAYMENT_PROVIDER": ""}, "PAYMENT_PROVIDER must name"),
        ({"PAYMENT_PROVIDER": "paypal"}, "PAYMENT_PROVIDER must name"),
        ({"CELERY_BROKER_URL": ""}, "CELERY_BROKER_URL is empty"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS is empty"),
        ({"WAYBILL_VAR": ""}, "WAYBILL_VAR is empty"),
        ({"WEB_CONCURRENCY": ""}, "WEB_CONCURRENCY is empty"),
    ],
    ids=str,
)
def test_a_server_requires_its_settings(tmp_path: Path, changes: dict[str, str | None], advice: str) -> None:
    assert advice in refusal_of(tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"DEBUG": "true"}, "DEBUG is for the embedded mode"),
        ({"DEBUG": "1"}, "DEBUG is for the embedded mode"),
        ({"SECRET_KEY": "x"}, "SECRET_KEY is too short"),
        ({"SECRET_KEY": STRONG[:49]}, "SECRET_KEY is too short"),
        ({"SECRET_KEY": "s" * 60}, "SECRET_KEY can be guessed"),
        ({"SECRET_KEY": "changeme" * 8}, "SECRET_KEY can be guessed"),
        ({"SECRET_KEY": f"django-insecure-{STRONG}"}, "SECRET_KEY can be guessed"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS must name the hosts"),
        ({"ALLOWED_HOSTS": "shop.example.com, *"}, "ALLOWED_HOSTS must name the hosts"),
        ({"SANDBOX_WEBHOOK_SECRETS": "short"}, "SANDBOX_WEBHOOK_SECRETS is too short"),
        ({"SANDBOX_WEBHOOK_SECRETS": f"{CALL_BACKS},{'x' * 40}"}, "SANDBOX_WEBHOOK_SECRETS can be guessed"),
        ({"SANDBOX_WEBHOOK_SECRETS": STRONG}, "SECRET_KEY and SANDBOX_WEBHOOK_SECRETS contain the same secret"),
        ({"SANDBOX_WEBHOOK_SECRETS": f"{CALL_BACKS},{STRONG}"}, "SECRET_KEY and SANDBOX_WEBHOOK_SECRETS contain"),
        ({"DATABASE_URL": f"postgres://shop:{STRONG}@db/shop"}, "SECRET_KEY and DATABASE_URL contain the same secret"),
        ({"CELERY_BROKER_URL": f"redis://:{STRONG}@redis/0"}, "SECRET_KEY and CELERY_BROKER_URL contain the same"),
        ({"EMAIL_URL": f"smtp://shop:{STRONG}@mail:587"}, "SECRET_KEY and EMAIL_URL contain the same secret"),
        (
            {"DATABASE_URL": "postgres://shop:a%40b@db/shop", "CELERY_BROKER_URL": "amqp://shop:a%40b@rabbit//"},
            "DATABASE_URL and CELERY_BROKER_URL contain the same secret",
        ),
    ],
    ids=str,
)
def test_a_server_is_closed_by_default(tmp_path: Path, changes: dict[str, str], reason: str) -> None:
    sentence = refusal_of(tmp_path, **changes)
    assert reason in sentence
    assert not re.search(f"{STRONG[:49]}|{CALL_BACKS}|changeme|ssss|xxxx|a@b", sentence), "a secret is in the sentence"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"DATABASE_URL": "garbage"}, "DATABASE_URL must begin with"),
        ({"DATABASE_URL": "mysql://db/shop"}, "DATABASE_URL must begin with"),
        ({"DATABASE_URL": "postgres://shop@db:port/shop"}, "DATABASE_URL must be postgres://"),
        ({"DATABASE_URL": "postgres://shop@db:99999/shop"}, "DATABASE_URL must be postgres://"),
        ({"DATABASE_URL": "postgres://[db/shop"}, "DATABASE_URL must be postgres://"),
        ({"DATABASE_URL": "postgres://shop@db"}, "DATABASE_URL must name a database"),
        ({"DATABASE_URL": "sqlite://shop.sqlite3"}, "DATABASE_URL of SQLite has no host"),
        ({"DATABASE_URL": "sqlite://"}, "DATABASE_URL must name a file"),
        ({"DATABASE_URL": "postgres://db/shop?nonsense=1"}, "DATABASE_URL does not know nonsense"),
        ({"CELERY_BROKER_URL": "garbage"}, "CELERY_BROKER_URL must be memory://"),
        ({"CELERY_BROKER_URL": "http://redis"}, "CELERY_BROKER_URL must be memory://"),
        ({"CELERY_BROKER_URL": "redis://redis:port/0"}, "CELERY_BROKER_URL must be redis://host:port"),
        ({"CELERY_BROKER_URL": "redis://redis:0/0"}, "CELERY_BROKER_URL must be redis://host:port"),
        ({"CELERY_BROKER_URL": "redis:///0"}, "CELERY_BROKER_URL must be redis://host:port"),
        ({"CELERY_BROKER_URL": "redis://[redis/0"}, "CELERY_BROKER_URL must be redis://host:port"),
        ({"CELERY_BROKER_URL": "redis://redis/zero"}, "CELERY_BROKER_URL must end with the number"),
        ({"CELERY_BROKER_URL": "rediss://redis", "BROKER_CA_FILE": "/no/such.pem"}, "BROKER_CA_FILE names no file"),
        ({"BROKER_TRANSPORT_OPTIONS": "master"}, "BROKER_TRANSPORT_OPTIONS must be a JSON object"),
        ({"BROKER_TRANSPORT_OPTIONS": "[1]"}, "BROKER_TRANSPORT_OPTIONS must be a JSON object"),
        ({"WEB_CONCURRENCY": "abc"}, "WEB_CONCURRENCY must be a whole number from 1"),
        ({"WEB_CONCURRENCY": "0"}, "WEB_CONCURRENCY must be a whole number from 1"),
        ({"WEB_CONCURRENCY": "-1"}, "WEB_CONCURRENCY must be a whole number from 1"),
        ({"WEB_CONCURRENCY": "1.5"}, "WEB_CONCURRENCY must be a whole number from 1"),
        ({"WEB_THREADS": "many"}, "WEB_THREADS must be a whole number"),
        ({"CELERY_WORKER_CONCURRENCY": "0"}, "CELERY_WORKER_CONCURRENCY must be a whole number"),
        ({"CELERY_WORKER_POOL": "gevent"}, "CELERY_WORKER_POOL must be one of"),
        ({"CONN_MAX_AGE": "ten"}, "CONN_MAX_AGE must be a whole number"),
        ({"PREPARE_STATEMENTS_AFTER": "-3"}, "PREPARE_STATEMENTS_AFTER must be a whole number"),
        ({"NUM_PROXIES": "x"}, "NUM_PROXIES must be a whole number"),
        ({"DELIVERY_MAX_ATTEMPTS": "0"}, "DELIVERY_MAX_ATTEMPTS must be a whole number"),
        ({"EXTERNAL_MAX_ATTEMPTS": "1e3"}, "EXTERNAL_MAX_ATTEMPTS must be a whole number"),
        ({"PAUSE_AFTER_DEATHS": "nan"}, "PAUSE_AFTER_DEATHS must be a whole number"),
        ({"SWEEP_EVERY_SECONDS": "0"}, "SWEEP_EVERY_SECONDS must be a number of seconds from 0.05"),
        ({"ARCHIVE_AFTER_DAYS": "nan"}, "ARCHIVE_AFTER_DAYS must be a number of days"),
        ({"PAYMENT_DEADLINE_MINUTES": "30 min"}, "PAYMENT_DEADLINE_MINUTES must be a number of minutes"),
        ({"PAYMENT_DEADLINE_MINUTES": "-5"}, "PAYMENT_DEADLINE_MINUTES must be a number of minutes"),
        ({"SANDBOX_LATENCY_MS": "inf"}, "SANDBOX_LATENCY_MS must be a number of milliseconds"),
        ({"SANDBOX_FAILURE_RATE": "2"}, "SANDBOX_FAILURE_RATE must be a number"),
        ({"SANDBOX_URL": "provider:80"}, "SANDBOX_URL must begin with http://"),
        ({"SHOP_CURRENCY": "XXL"}, "SHOP_CURRENCY must be a currency"),
        ({"SHOP_CURRENCY": "usd"}, "SHOP_CURRENCY must be a currency"),
        ({"SHOP_CURRENCY": "XAU"}, "SHOP_CURRENCY must be a currency"),
        ({"BEHIND_TLS": "ture"}, "BEHIND_TLS must be true or false"),
        ({"DEBUG": "2"}, "DEBUG must be true or false"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL must be one of"),
        ({"QUEUE_PREFIX": "our queue"}, "QUEUE_PREFIX must be letters"),
        ({"ALLOWED_HOSTS": "https://shop.example.com"}, "ALLOWED_HOSTS must name hosts without scheme"),
        ({"ALLOWED_HOSTS": ","}, "ALLOWED_HOSTS must name hosts"),
        ({"CSRF_TRUSTED_ORIGINS": "shop.example.com"}, "CSRF_TRUSTED_ORIGINS must name origins"),
        ({"CSRF_TRUSTED_ORIGINS": "https://*"}, "CSRF_TRUSTED_ORIGINS must name origins"),
        ({"EMAIL_URL": "mail.example.com"}, "EMAIL_URL must be a scheme of"),
        ({"EMAIL_URL": "smtp://"}, "EMAIL_URL must be a scheme of"),
        ({"EMAIL_URL": "smtp://mail:port"}, "EMAIL_URL must be a scheme of"),
        ({"EMAIL_URL": "smtp://mail?timeout=3"}, "EMAIL_URL must be a scheme of"),
        ({"DEFAULT_FROM_EMAIL": "nobody"}, "DEFAULT_FROM_EMAIL must be an e-mail address"),
        ({"DEFAULT_FROM_EMAIL": "a@b\nBcc: c@d"}, "DEFAULT_FROM_EMAIL contains a character"),
    ],
    ids=str,
)
def test_a_setting_without_sense_is_refused(tmp_path: Path, changes: dict[str, str], reason: str) -> None:
    assert reason in refusal_of(tmp_path, **changes)


@pytest.mark.parametrize(
    "command",
    [
        [*MANAGE, "check"],
        [*MANAGE, "verify"],
        [*MANAGE, "serve", "--port", "0"],
        [*MANAGE, "runserver", "0"],
        [*MANAGE, "migrate"],
        [*CELERY, "worker"],
        [*CELERY, "beat"],
        [*CELERY, "report"],
        GUNICORN,
        [*GUNICORN, "--preload"],
    ],
    ids=lambda command: " ".join(command[1:]).replace(f"{ROOT}/", ""),
)
@pytest.mark.parametrize(
    ("name", "value"), [("WEB_CONCURRENCY", "abc"), ("DATABASE_URL", "garbage"), ("SHOP_CURRENCY", "XXL")]
)
def test_every_program_refuses_in_one_sentence(tmp_path: Path, command: list[str], name: str, value: str) -> None:
    if (command[1:3], name) == (["-m", "gunicorn"], "WEB_CONCURRENCY"):
        pytest.skip("gunicorn reads this variable itself")
    code, output = start(command, tmp_path, **{**SERVER, "SECRET_KEY": STRONG, name: value})
    assert code != 0
    assert "Traceback" not in output
    assert output.count(f"Waybill cannot start: {name} must") == 1, output


def settings_with(folder: Path, env: bytes) -> Path:
    """Copy the settings to where this is their `.env`."""
    (folder / "config").mkdir()
    (folder / ".env").write_bytes(env)
    return Path(shutil.copy(SETTINGS, folder / "config"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"DATABSE_URL=x", "there is no setting DATABSE_URL: do you mean DATABASE_URL?"),
        (b"ALLOWED_HOST=shop.example.com", "do you mean ALLOWED_HOSTS?"),
        (b"SECRETKEY=x", "do you mean SECRET_KEY?"),
        (b"debug=true", "there is no setting debug: do you mean DEBUG?"),
        (b"export BEHIND_TSL=true", "do you mean BEHIND_TLS?"),
        (b"SECRET_KEY = x", "must be NAME=value"),
        (b"nonsense", "must be NAME=value"),
        (b"DEBUG=false\nDEBUG=true", "line 3: DEBUG is set twice"),
        (b"SECRET_KEY=\xff", "cannot be read: it is not UTF-8"),
    ],
)
def test_a_misspelt_line_of_the_env_file_is_refused(tmp_path: Path, line: bytes, reason: str) -> None:
    sentence = refusal_of(tmp_path, settings=settings_with(tmp_path, b"# a comment\n" + line + b"\n"))
    assert str(tmp_path / ".env") in sentence
    assert reason in sentence


def test_an_env_file_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, b"")
    (tmp_path / ".env").unlink()
    assert settings_of(tmp_path, settings=settings)
    (tmp_path / ".env").mkdir()
    assert "cannot be read: Is a directory" in refusal_of(tmp_path, settings=settings)


def test_the_env_file_may_have_comments_and_variables_of_other_programs(tmp_path: Path) -> None:
    env = "\ufeff# ours\n\n  # and others\nexport SHOP_CURRENCY='EUR'\nCOMPOSE_PROJECT_NAME=shop\nPOSTGRES_PASSWORD=x\n"
    settings = settings_with(tmp_path, env.encode())
    assert settings_of(tmp_path, settings=settings)["SHOP_CURRENCY"] == "EUR"
    assert settings_of(tmp_path, settings=settings, SHOP_CURRENCY="GBP")["SHOP_CURRENCY"] == "GBP"


def test_the_example_explains_every_setting() -> None:
    explained = re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert set(explained) == NAMES


BY_TLS = {
    "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
    "SECURE_SSL_REDIRECT": True,
    "SECURE_HSTS_SECONDS": 31_536_000,
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
    "SECURE_HSTS_PRELOAD": True,
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
}


@pytest.mark.parametrize("value", ["true", "True", "1", "yes", "on"])
def test_behind_tls_sets_all_that_django_checks(tmp_path: Path, value: str) -> None:
    settings = settings_of(tmp_path, BEHIND_TLS=value)
    assert {name: settings.get(name) for name in BY_TLS} == BY_TLS
    assert settings["REST_FRAMEWORK"]["NUM_PROXIES"] == 1
    assert settings["SECURE_REDIRECT_EXEMPT"] == [r"^healthz$", r"^readyz$", r"^metrics$"]


@pytest.mark.parametrize("value", ["false", "False", "0", "no", "off", None])
def test_without_tls_no_header_of_a_client_is_believed(tmp_path: Path, value: str | None) -> None:
    settings = settings_of(tmp_path, BEHIND_TLS=value)
    assert not BY_TLS.keys() & settings.keys()
    assert settings["REST_FRAMEWORK"]["NUM_PROXIES"] == 0


def test_a_server_behind_tls_passes_djangos_checks_for_deployment(tmp_path: Path) -> None:
    changes = {**SERVER, "SECRET_KEY": STRONG, "ALLOWED_HOSTS": "shop.example.com", "BEHIND_TLS": "true"}
    code, output = start([*MANAGE, "check", "--deploy", "--fail-level", "WARNING"], tmp_path, **changes)
    assert code == 0, output


@pytest.mark.parametrize("given", [None, ""])
def test_call_backs_are_signed_with_a_secret_of_their_own(tmp_path: Path, given: str | None) -> None:
    (secret,) = settings_of(tmp_path, SANDBOX_WEBHOOK_SECRETS=given)["SANDBOX_WEBHOOK_SECRETS"]
    assert len(secret) == 64
    assert STRONG not in secret
    assert settings_of(tmp_path, SANDBOX_WEBHOOK_SECRETS=f" {CALL_BACKS} ,")["SANDBOX_WEBHOOK_SECRETS"] == [CALL_BACKS]


@pytest.mark.parametrize(
    "unset", sorted(NAMES - {"SECRET_KEY", "DATABASE_URL", "PAYMENT_PROVIDER", "CELERY_BROKER_URL"})
)
def test_any_other_setting_may_be_left_out(tmp_path: Path, unset: str) -> None:
    assert settings_of(tmp_path, **{unset: None})


def test_the_embedded_mode_may_be_open(tmp_path: Path) -> None:
    code, output = start([*MANAGE, "check"], tmp_path, DEBUG="true", ALLOWED_HOSTS="*", SECRET_KEY="short")
    assert code == 0, output
