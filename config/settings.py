"""All settings. What may differ between two shops is read from the environment, or from `.env` (see `.env.example`).

Without any variable Waybill runs embedded: SQLite, a broker in memory, one process for everything. With
`CELERY_BROKER_URL` it runs as a server, which refuses to start without a secret or on SQLite.
"""

import os
from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config import secrets
from config.books import book_settings, refund_approval_limit, shop_currency
from config.broker import CONSUME_TIMEOUT, broker_settings
from config.database import database
from config.environment import Environment, read_env_file
from config.gateways import carrier_settings, payment_provider, payment_provider_apps
from config.guests import guest_settings
from config.logs import log_settings, logging_settings
from config.mail import MAILBOX, mail_settings
from config.mail import TIMEOUT as MAIL_TIMEOUT
from config.metrics.settings import metrics_settings
from config.middleware import MIDDLEWARE  # noqa: F401 - a setting
from config.openapi import SPECTACULAR_SETTINGS  # noqa: F401 - a setting
from config.tracing import traces_url
from config.var import make_folder, require_writable, secret_key
from config.webhooks import webhook_settings

BASE_DIR = Path(__file__).resolve().parent.parent
read_env_file(BASE_DIR / ".env")
env = Environment(os.environ)

VAR = Path(env.text("WAYBILL_VAR", str(BASE_DIR / "var")))
"""The folder of the embedded mode's database and secret."""
HOST = "[A-Za-z0-9_-]+"
"""A part of a host's name, as a regular expression."""

# --- How it runs --------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "memory://")
EMBEDDED = CELERY_BROKER_URL.startswith("memory:")
if EMBEDDED:
    CELERY_BROKER_URL = "memory://localhost"  # without a host, kombu warns that it chose one
DEBUG = env.flag("DEBUG")
WEB_CONCURRENCY = env.whole("WEB_CONCURRENCY", 1, least=1, most=1_000)
WEB_THREADS = env.whole("WEB_THREADS", 8, least=1, most=1_000)

if EMBEDDED:
    require_writable(VAR)
SECRET_KEY = env.given("SECRET_KEY") or (secret_key(VAR) if EMBEDDED else "")
ALLOWED_HOSTS = env.listed(
    "ALLOWED_HOSTS",
    ["localhost", "127.0.0.1", "[::1]"],
    rf"\*|\.?{HOST}(\.{HOST})*|\[[0-9A-Fa-f:.]+\]",
    "name hosts without scheme and port, such as shop.example.com or .example.com",
)
if not EMBEDDED:
    if not SECRET_KEY:
        raise ImproperlyConfigured("SECRET_KEY must be set when CELERY_BROKER_URL is: a server has no default secret")
    secrets.refuse_weak("SECRET_KEY", SECRET_KEY, secrets.SHORTEST_SECRET_KEY)
    if DEBUG:
        raise ImproperlyConfigured("DEBUG is for the embedded mode: a server must not show tracebacks to its visitors")
    if "*" in ALLOWED_HOSTS:
        raise ImproperlyConfigured("ALLOWED_HOSTS must name the hosts of a server: * would serve whatever is asked for")
CSRF_TRUSTED_ORIGINS = env.listed(
    "CSRF_TRUSTED_ORIGINS",
    [],
    rf"https?://(\*\.)?{HOST}(\.{HOST})*(:[0-9]+)?",
    "name origins as https://shop.example.com",
)
CORS_ORIGINS = env.listed("CORS_ORIGINS", [], rf"https?://{HOST}(\.{HOST})*(:[0-9]+)?", "name origins with scheme")
BEHIND_TLS = env.flag("BEHIND_TLS")
if BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
# Probes and scrapes on the same machine or network come without TLS.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]

# --- What it is made of -------------------------------------------------------------------------------------------

CONTEXTS = ["ordering", "inventory", "billing", "fulfillment"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
    "django_filters",
    "knox",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "integration.apps.IntegrationConfig",
    *(f"{context}.apps.{context.capitalize()}" for context in CONTEXTS),
    *payment_provider_apps(),
    "fulfillment.gateways.carriers.sandbox.apps.SandboxCarrier",
    "config.apps.Wiring",
    # Below config: if two apps have a command of one name, Django takes the upper app's, so `runserver` is config's.
    "django.contrib.staticfiles",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
make_folder(STATIC_ROOT)
WHITENOISE_USE_FINDERS = True  # static files come from the packages themselves: `make run` needs no collectstatic

AUTHENTICATION_BACKENDS = ["integration.rest.credentials.NormalizingBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "integration.rest.credentials.VisibleValidator"},
    *(
        {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
        for name in ["UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword"]
    ),
]

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- The database -------------------------------------------------------------------------------------------------

DATABASE_URL = env.given("DATABASE_URL") or f"sqlite:///{VAR / 'waybill.sqlite3'}"
DATABASES = {
    "default": database(
        DATABASE_URL,
        conn_max_age=env.whole("CONN_MAX_AGE", 600, least=0, most=86_400),
        prepare_after=env.whole("PREPARE_STATEMENTS_AFTER", 3, least=0, most=1_000_000),
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite"):
    if not EMBEDDED:
        raise ImproperlyConfigured("SQLite is for the embedded mode: set DATABASE_URL along with CELERY_BROKER_URL")
    if DATABASES["default"]["NAME"] != ":memory:":
        require_writable(VAR, Path(DATABASES["default"]["NAME"]))

# --- Between the contexts -----------------------------------------------------------------------------------------

QUEUE_PREFIX = env.text("QUEUE_PREFIX", "waybill", "[A-Za-z0-9._-]{1,50}", "be letters, digits and . _ -")
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = f"{QUEUE_PREFIX}.integration"
CELERY_TASK_QUEUES: dict[str, dict[str, str]] = {f"{QUEUE_PREFIX}.{name}": {} for name in ["integration", *CONTEXTS]}
CELERY_WORKER_POOL = env.one_of(
    "CELERY_WORKER_POOL", ["prefork", "threads", "solo"], "threads" if EMBEDDED else "prefork"
)
# SQLite has one writer at a time: four threads waited for its lock and took three times as long as one.
CELERY_WORKER_CONCURRENCY = env.whole(
    "CELERY_WORKER_CONCURRENCY", 1 if EMBEDDED else (os.cpu_count() or 2), least=1, most=1_000
)
# Each delivery queue has at most one wake-up. Without prefetching, it goes to a worker with an idle process.
CELERY_WORKER_DISABLE_PREFETCH = CELERY_WORKER_POOL == "prefork" and not CELERY_BROKER_URL.startswith(
    ("amqp", "pyamqp")
)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # RabbitMQ cannot do without
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Workers and beat live through every error reply of the broker, as through a connection that is lost.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_BROKER_HEARTBEAT = 4  # seconds; RabbitMQ only, where twice as long without one means a lost connection
CELERY_BROKER_CONNECTION_TIMEOUT = CONSUME_TIMEOUT
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True  # concerns tasks that acknowledge late: none of ours
CELERY_WORKER_CONSUMER = "config.worker:Consumer"
CELERY_WORKER_HIJACK_ROOT_LOGGER = CELERY_WORKER_ENABLE_REMOTE_CONTROL = CELERY_BEAT_ENABLE_REMOTE_CONTROL = False
if EMBEDDED:
    CELERY_BROKER_TRANSPORT_OPTIONS = {"polling_interval": 0.01}
    WAKEUP_TRANSPORT_OPTIONS: dict[str, object] = {}
else:
    vars().update(
        broker_settings(
            CELERY_BROKER_URL,
            env.mapping("BROKER_TRANSPORT_OPTIONS", '{"master_name": "main"}'),
            env.file("BROKER_CA_FILE"),
        )
    )
# Every interval is short and every routine is idempotent, so beat needs no file with the times of the last runs.
CELERY_BEAT_SCHEDULER = "config.beat:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_TIMEZONE = TIME_ZONE

BROKER_QUIET_SECONDS = 5.0  # after a failure, no wake-ups are sent, so that requests do not wait for the broker
SWEEP_EVERY = timedelta(seconds=env.number("SWEEP_EVERY_SECONDS", 1.0, "seconds", least=0.05, most=3_600))
DELIVERY_MAX_ATTEMPTS = env.whole("DELIVERY_MAX_ATTEMPTS", 8, least=1, most=1_000)
EXTERNAL_MAX_ATTEMPTS = env.whole("EXTERNAL_MAX_ATTEMPTS", 24, least=1, most=1_000)
"""Attempts before a dead letter: about two minutes in the database, two days if an external system is called."""
PAUSE_AFTER_DEATHS = env.whole("PAUSE_AFTER_DEATHS", 10, least=1, most=1_000_000)
"""A consumer pauses itself when this many of its deliveries in a row have become dead letters."""
NOT_YET_TIMEOUT = timedelta(minutes=5)  # how long a reaction may raise `NotYet` before its attempts are counted
ARCHIVE_AFTER = timedelta(days=env.number("ARCHIVE_AFTER_DAYS", 90, "days", least=0, most=36_500))
"""How long after its last delivery was settled a message moves to the archive."""

# --- The shop -----------------------------------------------------------------------------------------------------

SHOP_CURRENCY = shop_currency(env)
PRICES_INCLUDE_TAX = env.flag("PRICES_INCLUDE_TAX")
TAX_ROUNDING = env.one_of("TAX_ROUNDING", ["half_up", "half_even"], "half_up")
"""How half of the smallest unit of a currency is rounded in the tax of a line."""
SELLER, INVOICE_RETENTION = book_settings(env)
REFUND_APPROVAL_LIMIT = refund_approval_limit(env, SHOP_CURRENCY)
PAYMENT_DEADLINE = timedelta(minutes=env.number("PAYMENT_DEADLINE_MINUTES", 30, "minutes", least=0.01, most=525_600))
CAPTURE = env.one_of("CAPTURE", ["at_order", "at_dispatch"], "at_order")
"""When cards are charged: at once, or as goods leave. Until then the money is only authorized."""
PAYMENT_RETRY = timedelta(minutes=env.number("PAYMENT_RETRY_MINUTES", 0, "minutes", least=0, most=525_600))
"""How long an order waits for another payment method after its first payment failed; zero cancels it at once."""
PAYMENT_PROVIDER = payment_provider(os.environ.get("PAYMENT_PROVIDER"), is_embedded=EMBEDDED)
SANDBOX_WEBHOOK_SECRETS = env.listed("SANDBOX_WEBHOOK_SECRETS", [secrets.derived(SECRET_KEY, secrets.CALL_BACKS)])
"""The secrets of the sandbox's call-backs: the first one signs, and a signature by any of them is accepted."""
for secret in SANDBOX_WEBHOOK_SECRETS if not EMBEDDED else ():
    secrets.refuse_weak("SANDBOX_WEBHOOK_SECRETS", secret, secrets.SHORTEST_WEBHOOK_SECRET)
SANDBOX_LATENCY = timedelta(milliseconds=env.number("SANDBOX_LATENCY_MS", 0, "milliseconds", least=0, most=600_000))
SANDBOX_FAILURE_RATE = env.number("SANDBOX_FAILURE_RATE", 0.0, "failures per call", least=0, most=1)
"""The share of calls to the sandbox that fail like a broken connection, before or after the charge."""
SANDBOX_URL = env.text("SANDBOX_URL", "", "https?://[^/].*", "begin with http:// or https://")
"""Where each way to and from the sandbox leads over HTTP. What responds there plays the network and its faults."""
SANDBOX_TIMEOUT = 5.0  # seconds that one such way may take
CARRIERS, SANDBOX_CARRIER_SECRETS, SANDBOX_CARRIER_STEP = carrier_settings(env, SECRET_KEY, is_embedded=EMBEDDED)
WEBHOOKS = webhook_settings(env, SECRET_KEY, is_embedded=EMBEDDED)

EMAIL_URL = env.given("EMAIL_URL")
vars().update(mail_settings(EMAIL_URL, VAR / "mail", os.environ))
EMAIL_TIMEOUT = MAIL_TIMEOUT
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "orders@shop.example", MAILBOX, "be an e-mail address")

METRICS = metrics_settings(env, VAR, is_embedded=EMBEDDED)

if not EMBEDDED:
    secrets.refuse_shared(
        {
            "SECRET_KEY": [SECRET_KEY],
            "SANDBOX_WEBHOOK_SECRETS": SANDBOX_WEBHOOK_SECRETS,
            "DATABASE_URL": secrets.passwords_of(DATABASE_URL),
            "CELERY_BROKER_URL": secrets.passwords_of(CELERY_BROKER_URL),
            "EMAIL_URL": secrets.passwords_of(EMAIL_URL or ""),
            "METRICS_TOKEN": [METRICS.token] if METRICS.token else [],
        }
    )

# --- The API ------------------------------------------------------------------------------------------------------

SECOND_FACTOR = env.flag("SECOND_FACTOR")
"""Whether staff log in with a code of their authenticator app besides their password."""
OTP_TOTP_ISSUER = "Waybill"
OTP_ADMIN_HIDE_SENSITIVE_DATA = True
LOGIN_FAILURES_PER_ACCOUNT = env.whole("LOGIN_FAILURES_PER_ACCOUNT", 10, least=1, most=1_000_000)
LOGIN_FAILURES_PER_ADDRESS = env.whole("LOGIN_FAILURES_PER_ADDRESS", 50, least=1, most=1_000_000)
FOR_GUESTS = guest_settings(env)
CART_EXPIRY: timedelta = FOR_GUESTS.cart_expiry
ORDER_PAGE: str = FOR_GUESTS.order_page
THROTTLES: dict[str, int] = FOR_GUESTS.throttles
FEED_READERS = env.whole("FEED_READERS", 100, least=0, most=900)  # that may wait, in each web process
# Beyond so many entries a third of them is deleted. An attack must not displace its own counts.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 200_000}}}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["integration.rest.authentication.BearerToken"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["integration.rest.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "integration.rest.pagination.Pages",
    "DEFAULT_SCHEMA_CLASS": "integration.rest.schema.Schema",
    "EXCEPTION_HANDLER": "integration.rest.problems.problem_response",
    "COERCE_DECIMAL_TO_STRING": True,
    # Without a number, a client avoids throttling by sending another X-Forwarded-For with each request.
    "NUM_PROXIES": env.whole("NUM_PROXIES", 1 if BEHIND_TLS else 0, least=0, most=10),
}
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_TTL": timedelta(days=30)}
TRACES_URL = traces_url(env)
LOGS = log_settings(env, is_embedded=EMBEDDED)
LOGGING = logging_settings(LOGS)
